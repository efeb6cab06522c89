import {
  anyCursor,
  anyNumber,
  splicedCheckedCursor,
  splicedCursor,
  splicedOrder,
  takesWhatIsNotThere,
  whateverColumns,
} from '../careless-data.ts'
import type { Lab, Variant } from '../lab.ts'
import type { Outcome, Row } from '../row.ts'
import { type Item, rope, ropesInStock } from '../shop.ts'
import { inWords, type Received } from '../wire.ts'
import { withoutValidation } from '../without.ts'
import { asMallory } from './validation.ts'

const invalid = '400 request.invalid'
const defect = '500 internal'
const guardGone: Variant = { service: withoutValidation }
const unconstrained = (table: string, constraint: string): Variant => ({
  ddl: `alter table ${table} drop constraint ${constraint}`,
})

export const shopValidationRows: readonly Row[] = [
  {
    guard: 'validation',
    attack: "SQL in place of the direction to sort in, so that the order tells whether a guess at Ada's hash is right",
    stoppedBy: '`sql.order`: a direction is asc or desc, and a name one of those written in code',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: { parts: splicedOrder },
    async run(lab) {
      const [right, wrong] = [await sortByGuess(lab, '$argon2id$'), await sortByGuess(lab, 'no such hash')]
      return { sees: inWords(right), succeeded: right.status === 200 && right.text !== wrong.text }
    },
  },
  {
    guard: 'validation',
    attack: 'A member too many: a price of nothing, with the new name of a product',
    stoppedBy: '`sql.changes`: what is not listed is not set',
    sees: { inPlace: invalid, guardGone: '204' },
    guardGone,
    nextGone: { parts: whateverColumns },
    async run(lab) {
      const body = { name: 'Rope', price_cents: 0 }
      const received = await asMallory(lab, { method: 'PATCH', path: `/products/${rope}`, body })
      const { rows } = await lab.pool.query('select price_cents from products where id = $1', [rope])
      return { sees: inWords(received), succeeded: (rows as { price_cents: number }[])[0]?.price_cents === 0 }
    },
  },
  {
    guard: 'validation',
    attack: 'An order of less than nothing, which fills the stock',
    stoppedBy: 'a constraint of the database: quantity; the stock that was filled goes back with the transaction',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: unconstrained('orders', 'orders_quantity'),
    run: (lab) => order(lab, { productId: rope, quantity: -5 }),
  },
  {
    guard: 'validation',
    attack: 'An order of one and a half pieces',
    stoppedBy: 'typed parameters: an integer has no halves',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: {
      parts: anyNumber,
      ddl: 'alter table orders alter quantity type numeric; alter table products alter stock type numeric',
    },
    run: (lab) => order(lab, { productId: rope, quantity: 1.5 }),
  },
]

export const shopColumnRows: readonly Row[] = [
  {
    guard: 'checked cursors',
    how: 'whatever is in one is believed',
    attack: 'A cursor of the catalog is taken apart and gets SQL in place of the id, which reads addresses of accounts',
    stoppedBy: 'typed parameters: the text is no uuid, and never SQL',
    sees: { inPlace: '400 request.cursor_invalid', guardGone: defect },
    guardGone: { parts: anyCursor },
    nextGone: { parts: splicedCheckedCursor },
    bothGone: { parts: splicedCursor },
    run: forgeCursor,
  },
]

export const shopRuleRows: readonly Row[] = [
  {
    guard: 'rules in SQL',
    how: 'stock is taken without asking how much there is',
    attack: 'An order of one piece more than there are',
    stoppedBy: 'a constraint of the database: no stock below zero',
    sees: { inPlace: '409 shop.out_of_stock', guardGone: defect },
    guardGone: { parts: takesWhatIsNotThere },
    nextGone: unconstrained('products', 'products_stock'),
    run: (lab) => order(lab, { productId: rope, quantity: ropesInStock + 1 }),
  },
]

function sortByGuess(lab: Lab, guess: string): Promise<Received> {
  const isRight = `exists (select from accounts where email = '${lab.people.ada.email}' and password_hash like '${guess}%')`
  const direction = encodeURIComponent(`is null, (case when ${isRight} then name else condition end)`)
  return asMallory(lab, { path: `/products?by=name&direction=${direction}` })
}

/** Succeeds when anything was ordered, or the stock is another. */
async function order(lab: Lab, item: Item): Promise<Outcome> {
  const received = await asMallory(lab, { method: 'POST', path: '/orders', body: [item] })
  const { rows } = await lab.pool.query<{ orders: number; stock: number }>(
    `select stock::float as stock, (select count(*)::int from orders) as orders from products where id = $1`,
    [rope],
  )
  const [{ orders, stock } = { orders: 0, stock: 0 }] = rows
  return { sees: inWords(received), succeeded: orders !== 0 || stock !== ropesInStock }
}

async function forgeCursor(lab: Lab): Promise<Outcome> {
  const first = await asMallory(lab, { path: '/catalog' })
  const cursor = /"nextCursor":"([\w-]+)"/.exec(first.text)?.[1] ?? ''
  const [version, list, name] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
  const id = `') union select id, email, 'new', 0, 0 from accounts --`
  const forged = Buffer.from(JSON.stringify([version, list, name, id])).toString('base64url')
  const received = await asMallory(lab, { path: `/catalog?cursor=${forged}` })
  return { sees: inWords(received), succeeded: received.text.includes(lab.people.ada.email) }
}
