import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { actAs } from '../../core/context/acting.ts'
import type { Caller } from '../../core/context/request-context.ts'
import { createDatabase } from './database.ts'
import type { Database, Transaction } from './database.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { sql } from './sql.ts'

let server: EmbeddedPostgres
let database: Database

beforeAll(async () => {
  server = await startEmbeddedPostgres()
})
beforeEach(() => {
  database = createDatabase({ url: server.url, closeTimeoutMs: 500 })
})
afterEach(() => database.close())
afterAll(() => server?.stop())

const caller = (id: string): Caller => ({ id, roles: [], permissions: [] })
const [ann, bob] = [caller('ann'), caller('bob')]

/** Who asks, as policies read it. */
const asker = (one: Pick<Transaction, 'one'> = database.rowSecured): Promise<string> =>
  one.one(
    sql`select coalesce(current_setting('app.principal_id', true), '') as id`,
    (row: { readonly id: string }) => row.id,
  )

describe('given a transaction in which several ask', () => {
  test('when a part of it acts for another, the rest is asked by the first again', async () => {
    const seen: string[] = []
    await actAs(ann, () =>
      database.transaction(async () => {
        seen.push(await asker())
        await actAs(bob, () => database.transaction(async () => void seen.push(await asker())))
        seen.push(await asker())
      }),
    )
    expect(seen).toEqual(['ann', 'bob', 'ann'])
  })

  test('when such a part is undone, the rest is asked by the first as well', async () => {
    const seen: string[] = []
    await actAs(ann, () =>
      database.transaction(async () => {
        seen.push(await asker())
        const part = database.transaction(async () => {
          seen.push(await actAs(bob, () => asker()))
          throw new Error('undo')
        })
        await part.catch(() => {})
        seen.push(await asker())
      }),
    )
    expect(seen).toEqual(['ann', 'bob', 'ann'])
  })

  test('when something is asked without row security, it is asked by nobody, whatever was asked before', async () => {
    const seen: string[] = []
    await actAs(ann, () =>
      database.transaction(async (tx) => {
        seen.push(await asker(tx), await asker(tx.rowSecured), await asker(tx), await asker(database), await asker())
        await database.transaction(async () => void seen.push(await asker()))
        seen.push(await asker(tx))
      }),
    )
    expect(seen).toEqual(['', 'ann', '', '', 'ann', 'ann', ''])
  })
})
