import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createDatabase } from '../../src/adapters/postgres/database.ts'
import type { Database } from '../../src/adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { expectedOf, type Program, programs, Run } from './programs.ts'
import { tally } from './service.ts'

// Random trees of transactions inside of transactions, one after another and at once, with failures that are caught and
// failures that are not.

let server: EmbeddedPostgres
let database: Database
let admin: Database
let firstId = 1

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  database = createDatabase({ url: server.url, maxConnections: 3, transactionTimeoutMs: 10_000 })
  admin = createDatabase({ url: server.url })
  await admin.execute(sql`create table notes (id int primary key)`)
  await admin.execute(sql`insert into notes values (0)`)
}, 60_000)
afterAll(async () => {
  await database?.close()
  await admin?.close()
  await server?.stop()
})

/** Runs it and looks at what it left behind. */
async function run(program: Program): Promise<{ readonly run: Run; readonly there: number[] }> {
  const begin = firstId
  firstId += 1000
  const one = new Run(database, program, begin)
  await one.start(program)
  const there = await admin.many(
    sql`select id from notes where id between ${begin} and ${begin + 999} order by id`,
    (row: { readonly id: number }) => row.id,
  )
  return { run: one, there }
}

const noneIsOut = (): Promise<unknown> =>
  vi.waitUntil(() => database.stats().idle === database.stats().total && database.stats().waiting === 0)

const numRuns = 300
const seed = process.env['HOLDFAST_SEED']
const settings: fc.Parameters<[Program]> = { numRuns, ...(seed !== undefined && { seed: Number(seed) }) }

describe('given random programs of nested transactions', () => {
  test('when everything is waited for, what is there is what should be', async () => {
    const outcomes: string[] = []
    const property = fc.asyncProperty(programs('careful'), async (program) => {
      const { run: one, there } = await run(program)
      const expected = expectedOf(program)
      outcomes.push(expected === undefined ? 'undone' : 'committed')
      if (one.attempts > 1) outcomes.push('run again')
      expect(one.isDone, String(one.thrown)).toBe(expected !== undefined)
      expect(there).toEqual(one.ids((expected ?? []).filter(({ does }) => does === 'write')))
      expect(one.written()).toEqual(there)
      expect(one.ids(one.calledBack)).toEqual(one.toldOf())
    })
    await fc.assert(property, settings)
    await noneIsOut()
    console.log(`careful programs: ${JSON.stringify(tally(outcomes))}`)
  }, 60_000)

  test('when things are left to themselves, what is there is what was said to be done', async () => {
    const outcomes: string[] = []
    const property = fc.asyncProperty(programs('careless'), async (program) => {
      const { run: one, there } = await run(program)
      outcomes.push(one.isDone ? 'committed' : 'undone')
      expect(there).toEqual(one.written())
      expect(one.ids(one.calledBack)).toEqual(one.toldOf())
    })
    await fc.assert(property, settings)
    await noneIsOut()
    console.log(`careless programs: ${JSON.stringify(tally(outcomes))}`)
  }, 60_000)
})
