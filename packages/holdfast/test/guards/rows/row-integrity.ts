import { uncheckedRows } from '../careless-data.ts'
import type { Lab, Variant } from '../lab.ts'
import type { Outcome, Row } from '../row.ts'
import { rope } from '../shop.ts'
import { inWords } from '../wire.ts'
import { withoutReplies } from '../without.ts'

const served = '200, as it was'
const defect = '500 internal, and logged'
const rowsAsTheyCome: Variant = { parts: uncheckedRows }
const anyReply: Variant = { service: withoutReplies }

interface Damage {
  readonly attack: string
  readonly constraint: string
  readonly update: string
}

const damages: readonly Damage[] = [
  {
    attack: 'A repair by hand leaves a price below zero, and somebody looks at the product',
    constraint: 'drop constraint products_price',
    update: 'price_cents = -1',
  },
  {
    attack: 'A repair by hand leaves a condition that the code does not know, and somebody looks at the product',
    constraint: 'drop constraint products_condition',
    update: `condition = 'cursed'`,
  },
  {
    attack: 'A repair by hand leaves no name, and somebody looks at the product',
    constraint: 'alter column name drop not null',
    update: 'name = null',
  },
]

/** What is stored and should not be: an error that is logged, never an answer. */
export const integrityRows: readonly Row[] = damages.flatMap(({ attack, constraint, update }) => {
  const unconstrained: Variant = { ddl: `alter table products ${constraint}` }
  const run = (lab: Lab): Promise<Outcome> => look(lab, update)
  return [
    {
      guard: 'constraints',
      how: 'dropped, and every reply may leave',
      attack,
      stoppedBy: 'the schema of the row, which the repository reads it by',
      sees: { inPlace: served, guardGone: defect },
      setting: anyReply,
      guardGone: unconstrained,
      nextGone: rowsAsTheyCome,
      run,
    },
    {
      guard: 'row schema',
      how: 'rows are taken as they come, and constraints are dropped',
      attack,
      stoppedBy: 'the reply allow-list: what does not fit does not leave',
      sees: { inPlace: defect, guardGone: defect },
      setting: unconstrained,
      guardGone: rowsAsTheyCome,
      nextGone: anyReply,
      run,
    },
  ] as const
})

/** Succeeds when what was stored by mistake is served. */
async function look(lab: Lab, update: string): Promise<Outcome> {
  const { send, pool, isDefectLogged } = lab
  const path = `/products/${rope}`
  const before = await send({ path })
  // Where the constraint stands, nothing is stored.
  await pool.query(`update products set ${update} where id = $1`, [rope]).catch(() => {})
  const received = await send({ path })
  if (received.status !== 200) {
    return { sees: inWords(received) + (isDefectLogged() ? ', and logged' : ''), succeeded: false }
  }
  const isAsBefore = received.text === before.text
  return { sees: isAsBefore ? served : '200, as it is stored', succeeded: !isAsBefore }
}
