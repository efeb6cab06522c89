import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { neverCommit } from '../../testing/never-commit.ts'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import type { DatabaseOptions } from './database-options.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { changesSession } from './session-state.ts'
import { sql } from './sql.ts'
import type { SqlQuery } from './sql.ts'

let server: EmbeddedPostgres
let owner: Database
const opened: Database[] = []

/** Of one connection, so that whatever one holder leaves behind the next one finds. */
function open(options: Partial<DatabaseOptions> = {}): Database {
  const one = createDatabase({ url: server.url, role: 'mail_service', maxConnections: 1, ...options })
  opened.push(one)
  return one
}

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  owner = createDatabase({ url: server.url })
  await owner.execute(sql`create role mail_service nologin`)
  await owner.execute(sql`create table letters as select 'ann' as owner`)
  await owner.execute(sql`alter table letters enable row level security`)
  await owner.execute(sql`
    create policy own on letters using (owner = (select current_setting('app.principal_id', true)))`)
  await owner.execute(sql`grant select on letters to mail_service`)
}, 60_000)

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()))
})

afterAll(async () => {
  await owner?.close()
  await server?.stop()
})

const letters = (one: Database) => one.query(sql`select owner from letters`)

const leaving: readonly (readonly [string, SqlQuery])[] = [
  ['a setting', sql`set app.principal_id = 'ann'`],
  ['a setting behind a comment', sql`/* mine */ set session app.principal_id = 'ann'`],
  ['a setting by function', sql`select set_config('app.principal_id', ${'ann'}, ${false})`],
  ['another role', sql`set role none`],
  ['another user', sql`set session authorization default`],
  ['a lock', sql`select pg_advisory_lock(7)`],
  ['a temporary table', sql`create temp table letters as select 'ann' as owner`],
  ['a channel', sql`listen letters`],
]

describe.each(leaving)('given a query that leaves %s behind in its session', (_, query) => {
  test('when it is asked by itself, it is refused, and nothing is left', async () => {
    const one = open()
    await expect(one.query(query)).rejects.toThrow('sets something for its session')
    await expect(one.rowSecured.query(query)).rejects.toThrow('sets something for its session')
    expect(await letters(one)).toEqual([])
  })

  test('when it is asked in a transaction, the next holder has another connection, and the log says why', async () => {
    const logger = createRecordingLogger()
    const one = open({ logger })
    await one.transaction(() => one.query(query))
    expect(await letters(one)).toEqual([])
    expect(await one.query(sql`select pg_listening_channels()`)).toEqual([])
    expect(await owner.query(sql`select 1 from pg_locks where locktype = 'advisory'`)).toEqual([])
    expect(logger.lines.map(({ message }) => message)).toEqual([expect.stringContaining('for its whole session')])
  })
})

test('given a test whose changes are never committed, it is refused there as well', async () => {
  const one = open()
  const changes = await neverCommit(one)
  await expect(one.query(sql`set role none`)).rejects.toThrow('sets something for its session')
  await changes.undo()
})

test('given a transaction that sets something for its session, when one of its parts fails, the rest is committed', async () => {
  const one = open()
  const result = await one.transaction(async () => {
    await one.execute(sql`set app.principal_id = 'ann'`)
    await one.transaction(() => one.execute(sql`select 1 / 0`)).catch(() => {})
    return await letters(one)
  })
  expect(result).toEqual([{ owner: 'ann' }])
})

describe('given the text of a statement', () => {
  test.each([
    ['set timezone to utc', true],
    ['-- first\n  SET ROLE none', true],
    ['load $1', true],
    ['prepare one as select 1', true],
    ['declare c cursor with hold for select 1', true],
    ['create temporary view v as select 1', true],
    ['select 1 into temp others', true],
    ['with held as (select pg_try_advisory_lock_shared(1)) select 1', true],
    [`select pg_catalog."set_config"('a.b', $1, false), set_config('a.b', $1, true)`, true],
    [`do $$ begin perform set_config('a.b', 'c', false); end $$`, true],
    ['do $$ begin set role none; end $$', true],
    [`do $$ begin set session authorization 'a'; set app.principal_id to 'b'; end $$`, true],
    ['do $$ begin set local role none; update members set role = $1, seat.row = 1; end $$', false],
    ['set local timezone to utc', false],
    ['set transaction read only', false],
    ['set constraints all deferred', false],
    ['prepare transaction $1', false],
    ['declare c cursor for select 1', false],
    ['create temp table t (id int) on commit drop', false],
    ['create table temp (id int)', false],
    [`select set_config('a.b', $1, true), set_config('c.d', $2,  TRUE )`, false],
    ['select pg_advisory_xact_lock(1)', false],
    ['update notes set role = $1', false],
    ['select listen, load from notes', false],
    ['reset all', false],
    [`create function f() returns text language sql as 'select set_config(''a.b'', ''c'', false)'`, false],
  ])('when it is %j, it is seen whether it outlasts its transaction', (text, expected) => {
    expect(changesSession(text)).toBe(expected)
  })

  test('when it is long and made to be read slowly, it is read in time', () => {
    const texts = [
      '/*'.repeat(200_000),
      '--'.repeat(200_000),
      ' '.repeat(400_000),
      `select ${'set_config('.repeat(20_000)}`,
      `do ${'set a.b '.repeat(20_000)}`,
    ]
    for (const text of texts) expect(changesSession(text)).toBe(/set_config|set a/.test(text))
  }, 1000)
})
