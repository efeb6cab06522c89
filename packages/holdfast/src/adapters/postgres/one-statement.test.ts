import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { mayWrite } from './may-write.ts'
import { sql } from './sql.ts'
import type { SqlQuery } from './sql.ts'

let server: EmbeddedPostgres
let admin: Database
let database: Database

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  admin = createDatabase({ url: server.url, applicationName: 'admin' })
  database = createDatabase({ url: server.url, applicationName: 'victim', maxConnections: 1 })
  await admin.execute(sql`create table notes (id int primary key)`)
  await admin.execute(
    sql`create function sleep_late() returns trigger language plpgsql as 'begin perform pg_sleep(20); return null; end'`,
  )
  await admin.execute(
    sql`create constraint trigger late after insert on notes deferrable initially deferred for each row execute function sleep_late()`,
  )
}, 60_000)

afterEach(() => vi.waitUntil(() => database.stats().total === 0))

afterAll(async () => {
  await database?.close()
  await admin?.close()
  await server?.stop()
})

/** What comes of a statement whose session ends while it is worked on. */
async function lost(statement: SqlQuery, one: Database): Promise<unknown> {
  const ended = one.query(statement).then(
    () => 'done',
    (error: unknown) => error,
  )
  await vi.waitFor(async () => {
    const killed = await admin.query(
      sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim' and wait_event = 'PgSleep'`,
    )
    expect(killed).toHaveLength(1)
  })
  return await ended
}

describe.each(['asked by nobody', 'asked by somebody'])('given a statement of its own, %s', (asker) => {
  const one = (): Database => (asker === 'asked by nobody' ? database : database.rowSecured)

  test('when its session is lost while it writes, nobody is told that it failed, nor that it did not', async () => {
    const thrown = await lost(sql`insert into notes values (1)`, one())

    expect(thrown).toMatchObject({ kind: 'unavailable', code: 'database.outcome_unknown', cause: { code: '57P01' } })
  })

  test('when its session is lost while it reads, it may be asked again', async () => {
    const thrown = await lost(sql`with slept as (select pg_sleep(20)) select 1 from slept`, one())

    expect(thrown).toMatchObject({ kind: 'unavailable', code: 'database.unavailable', retryAfterSeconds: 2 })
  })
})

describe('given the text of a statement', () => {
  test.each([
    [sql`select 1`, false],
    [sql`  SELECT updated_at from notes`, false],
    [sql`with a as (select 1) select * from a`, false],
    [sql`values (1)`, false],
    [sql`insert into notes values (1)`, true],
    [sql`with a as (delete from notes returning id) select * from a`, true],
    [sql`select id from notes for update`, true],
    [sql`select 1 into others`, true],
    [sql`truncate notes`, true],
    [sql`/* read */ select 1`, true],
  ])('when it is %j, it is seen whether it may write', (statement, expected) => {
    expect(mayWrite(statement)).toBe(expected)
  })
})
