// The `pg` pool as its documentation shows it: who takes a client gives it back in `finally`.
import pg from 'pg'
import {
  database,
  type Entry,
  idleTimeoutMs,
  isTooMuch,
  type Item,
  type NewEntry,
  type Order,
  poolSize,
  type ProductRow,
  toLine,
  totalOf,
  toWallet,
  type Wallet,
} from './work.ts'

/** Both frameworks read its status, under one name or the other. */
class Refused extends Error {
  readonly status: number
  readonly statusCode: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
    this.statusCode = status
  }
}

const columns = 'id, account_id, name, description, currency, balance_cents, tags, created_at, updated_at'
const namedStatements = {
  wallet: { name: 'wallet', text: `select ${columns} from wallets where id = $1` },
  hold: { name: 'hold', text: 'select account_id, balance_cents from wallets where id = $1 for no key update' },
  change: { name: 'change', text: 'update wallets set balance_cents = $2, updated_at = now() where id = $1' },
  enter: {
    name: 'enter',
    text: `insert into entries (wallet_id, account_id, amount_cents, note) values ($1, $2, $3, $4)
      returning id, created_at`,
  },
  products: {
    name: 'products',
    text: `select id, sku, name, price_cents, stock from products where id = any ($1::integer[])
      order by id for no key update`,
  },
  take: {
    name: 'take',
    text: `update products set stock = stock - item.quantity
      from unnest($1::integer[], $2::integer[]) as item (id, quantity) where products.id = item.id`,
  },
  order: {
    name: 'order',
    text: 'insert into orders (account_id, total_cents) values ($1, $2) returning id, status, created_at',
  },
  lines: {
    name: 'lines',
    text: `insert into order_lines (order_id, account_id, product_id, price_cents, quantity)
      select $1::integer, $2::uuid, item.* from unnest($3::integer[], $4::integer[], $5::integer[]) as item`,
  },
  event: { name: 'event', text: 'insert into outbox (topic, payload) values ($1, $2)' },
} as const
type Statements = { readonly [Name in keyof typeof namedStatements]: pg.QueryConfig }

/** Which the server has to parse and plan each time. */
export const unnamedStatements = Object.fromEntries(
  Object.entries(namedStatements).map(([key, { text }]) => [key, { text }]),
) as Statements

type Written = { readonly id: number; readonly created_at: Date }

function one<Row>([row]: readonly Row[]): Row {
  if (row === undefined) throw new Error('There is no row')
  return row
}

export interface Shop {
  wallet(accountId: string, id: number): Promise<Wallet>
  deposit(accountId: string, id: number, entry: NewEntry): Promise<Entry>
  order(accountId: string, items: readonly Item[]): Promise<Order>
}

export function openShop(options: pg.PoolConfig = {}, statements: Statements = namedStatements): Shop {
  const pool = new pg.Pool({
    connectionString: database,
    max: poolSize,
    idleTimeoutMillis: idleTimeoutMs,
    ...options,
  })
  pool.on('error', (error) => console.error(error))

  async function inTransaction<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      const result = await work(client)
      await client.query('COMMIT')
      return result
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    } finally {
      client.release()
    }
  }

  return {
    async wallet(accountId, id) {
      const { rows } = await pool.query({ ...statements.wallet, values: [id] })
      const [row] = rows
      if (row?.account_id !== accountId) throw new Refused(404, `There is no wallet ${id}.`)
      return toWallet(row)
    },

    deposit: (accountId, id, { amountCents, note }) =>
      inTransaction(async (client) => {
        const { rows } = await client.query({ ...statements.hold, values: [id] })
        const [wallet] = rows as { account_id: string; balance_cents: number }[]
        if (wallet?.account_id !== accountId) throw new Refused(404, `There is no wallet ${id}.`)
        const balanceCents = wallet.balance_cents + amountCents
        if (isTooMuch(balanceCents)) throw new Refused(409, `Wallet ${id} holds too much.`)
        await client.query({ ...statements.change, values: [id, balanceCents] })
        const entered = await client.query<Written>({
          ...statements.enter,
          values: [id, accountId, amountCents, note],
        })
        const { id: entryId, created_at: createdAt } = one(entered.rows)
        return { id: entryId, walletId: id, amountCents, note, balanceCents, createdAt: createdAt.toISOString() }
      }),

    order: (accountId, items) =>
      inTransaction(async (client) => {
        const ids = items.map(({ productId }) => productId)
        const quantities = items.map(({ quantity }) => quantity)
        const { rows } = await client.query<ProductRow>({ ...statements.products, values: [ids] })
        const products = new Map(rows.map((row) => [row.id, row]))
        const lines = items.map(({ productId, quantity }) => {
          const product = products.get(productId)
          if (product === undefined || product.stock < quantity) {
            throw new Refused(409, `There is too little of product ${productId}.`)
          }
          return toLine(product, quantity)
        })
        const totalCents = totalOf(lines)
        await client.query({ ...statements.take, values: [ids, quantities] })
        const placed = await client.query<Written & { readonly status: string }>({
          ...statements.order,
          values: [accountId, totalCents],
        })
        const order = one(placed.rows)
        const prices = lines.map(({ priceCents }) => priceCents)
        await client.query({ ...statements.lines, values: [order.id, accountId, ids, prices, quantities] })
        const payload = JSON.stringify({ orderId: order.id, totalCents })
        await client.query({ ...statements.event, values: ['orders.placed', payload] })
        return { id: order.id, status: order.status, totalCents, lines, createdAt: order.created_at.toISOString() }
      }),
  }
}
