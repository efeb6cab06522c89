import { randomUUID } from 'node:crypto'
import { Schema } from 'mongoose'
import { expect } from 'vitest'
import { createMongo, type ModelOf, type MongoDatabase, type MongoOptions } from '../../src/entry/mongo.ts'
import { ConflictError, isAppError } from '../../src/foundation/errors.ts'
import { endLater } from './shop.ts'

const accountSchema = new Schema({ _id: Number, cents: { type: Number, required: true } })
const noteSchema = new Schema({ _id: String })

const count = 8
const centsEach = 1000

/** Accounts between which money moves, and a note of each transfer, written together with it. */
export interface Bank {
  readonly mongo: MongoDatabase
  readonly accounts: ModelOf<typeof accountSchema>
  readonly notes: ModelOf<typeof noteSchema>
}

export function openBank(url: string, options: Partial<MongoOptions> = {}): Bank {
  const mongo = createMongo({ url, ...options })
  endLater(() => mongo.close())
  return { mongo, accounts: mongo.model('Account', accountSchema), notes: mongo.model('Note', noteSchema) }
}

export async function openAccounts({ mongo, accounts }: Bank): Promise<void> {
  await mongo.insert(
    accounts,
    Array.from({ length: count }, (_, at) => ({ _id: at, cents: centsEach })),
  )
}

/** What became of transfers, by their ids. */
export interface Transfers {
  readonly done: ReadonlySet<string>
  /** Of unknown outcome. */
  readonly maybe: ReadonlySet<string>
  /** The codes of all refusals. */
  readonly refused: readonly string[]
}

/** Begins that many at once. */
export async function transfers(bank: Bank, howMany: number): Promise<Transfers> {
  const done = new Set<string>()
  const maybe = new Set<string>()
  const refused: string[] = []
  await Promise.all(
    Array.from({ length: howMany }, async () => {
      const id = randomUUID()
      try {
        await transfer(bank, id)
        done.add(id)
      } catch (thrown) {
        // Anything else is a defect, and the test fails.
        if (!isAppError(thrown)) throw thrown
        refused.push(thrown.code)
        if (thrown.code === 'database.outcome_unknown') maybe.add(id)
      }
    }),
  )
  return { done, maybe, refused }
}

async function transfer({ mongo, accounts, notes }: Bank, id: string): Promise<void> {
  const from = Math.floor(Math.random() * count)
  const to = (from + 1 + Math.floor(Math.random() * (count - 1))) % count
  const cents = 1 + Math.floor(Math.random() * 50)
  await mongo.transaction(
    async () => {
      const taking = accounts.updateOne({ _id: from, cents: { $gte: cents } }, { $inc: { cents: -cents } })
      if ((await mongo.execute(taking)) === 0) throw new ConflictError('bank.too_little', 'Too little there.')
      await mongo.execute(accounts.updateOne({ _id: to }, { $inc: { cents } }))
      await mongo.insert(notes, { _id: id })
    },
    { retries: 10, timeoutMs: 60_000 },
  )
}

export async function expectNothingLost({ accounts, notes }: Bank, { done, maybe }: Transfers): Promise<void> {
  const rows = await accounts.find().lean()
  expect(rows.reduce((sum, { cents }) => sum + cents, 0)).toBe(count * centsEach)
  expect(rows.every(({ cents }) => cents >= 0)).toBe(true)
  const noted = new Set((await notes.find().lean()).map(({ _id }) => String(_id)))
  for (const id of done) expect(noted.has(id), 'what we were told is done, is').toBe(true)
  for (const id of noted) expect(done.has(id) || maybe.has(id), 'what is there, we were told of').toBe(true)
}
