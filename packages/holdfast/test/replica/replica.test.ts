import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDatabase } from '../../src/adapters/postgres/database.ts'
import type { Database } from '../../src/adapters/postgres/database.ts'
import type { DatabaseOptions } from '../../src/adapters/postgres/database-options.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { actAs, isolated } from '../../src/core/context/acting.ts'
import { withRequest } from '../../src/core/context/request-context.ts'
import type { Caller, RequestContext } from '../../src/core/context/request-context.ts'
import { silentLogger } from '../../src/foundation/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import type { ManualClock } from '../../src/testing/manual-clock.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import type { RecordingLogger } from '../../src/testing/recording-logger.ts'
import { startReplica } from '../faults/replica.ts'
import type { PostgresReplica } from '../faults/replica.ts'

let primary: EmbeddedPostgres
let replica: PostgresReplica
let admin: Database
let clock: ManualClock
let logger: RecordingLogger
let database: Database
const maxLagMs = 1000

beforeAll(async () => {
  primary = await startEmbeddedPostgres()
  replica = await startReplica(primary, ['-c', 'max_standby_streaming_delay=0'])
  admin = createDatabase({ url: primary.url, applicationName: 'admin' })
  await admin.execute(sql`create table notes (id serial primary key, owner text not null default 'somebody')`)
  await admin.execute(sql`create role app_service`)
  await admin.execute(sql`grant select, insert on notes to app_service`)
  await admin.execute(sql`alter table notes enable row level security`)
  await admin.execute(sql`create policy own on notes using (owner = current_setting('app.principal_id', true))`)
}, 60_000)

beforeEach(async () => {
  clock = createManualClock()
  logger = createRecordingLogger()
  await replica.resume()
  await replica.catchUp()
  database = open()
  await useIt()
})

afterEach(async () => {
  await database.close()
  await replica.proxy.pass()
})

afterAll(async () => {
  await admin?.close()
  await replica?.stop()
  await primary?.stop()
})

const open = (options: Partial<DatabaseOptions> = {}): Database =>
  createDatabase({
    url: primary.url,
    replica: { url: replica.url, maxLagMs },
    workloads: { reporting: { maxConnections: 2 } },
    closeTimeoutMs: 500,
    clock,
    logger,
    ...options,
  })

type From = 'primary' | 'replica'
const mayLag = { mayLag: true }
const fromReplica = sql`select case when pg_is_in_recovery() then 'replica' else 'primary' end as source`
const toSource = (row: { readonly source: From }): From => row.source
const source = (options = mayLag, one: Pick<Database, 'one'> = database) => one.one(fromReplica, toSource, options)
const write = (one: Pick<Database, 'execute'> = database) => one.execute(sql`insert into notes (owner) values ('ann')`)

/** Time passes, and the replica is measured as often as in earnest. */
async function pass(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += maxLagMs / 4) {
    await source()
    clock.advance(maxLagMs / 4)
    // The only timer at rest is that of the next measurement.
    await vi.waitFor(() => expect(clock.pending).toBe(1), { interval: 2, timeout: 10_000 })
  }
}

async function reopen(options: Partial<DatabaseOptions>): Promise<void> {
  await database.close()
  database = open(options)
  await useIt()
}

/** The first measurement is made because somebody asks. */
async function useIt(): Promise<void> {
  await source()
  await vi.waitFor(() => expect(clock.pending).toBe(1), { interval: 2, timeout: 10_000 })
}

const caller = (id: string, sessionId?: string): Caller => ({ id, sessionId, roles: [], permissions: [] })
const [ann, bob] = [caller('ann', 'session of ann'), caller('bob', 'session of bob')]

function requestOf(principal: Caller | undefined): RequestContext {
  return {
    requestId: 'r',
    clientAddress: '203.0.113.9',
    principal,
    isolation: undefined,
    logger: silentLogger,
    signal: new AbortController().signal,
    traceparent: '',
    remainingMs: () => 1000,
  }
}
const inRequest = <Result>(principal: Caller | undefined, work: () => Promise<Result>): Promise<Result> =>
  withRequest(requestOf(principal), work, undefined)

describe('given a replica that keeps up', () => {
  test('when a read may lag, the replica answers; anything else, and everything in a transaction, the primary', async () => {
    expect(await source()).toBe('replica')
    expect(await source({ mayLag: false })).toBe('primary')
    expect(await database.one(fromReplica, toSource)).toBe('primary')
    expect(await database.transaction((tx) => source(mayLag, tx))).toBe('primary')
    expect(await database.transaction(() => source(), { readOnly: true })).toBe('primary')
    expect(await database.transaction(() => database.outsideTransaction(() => source()))).toBe('replica')
    const written = sql`insert into notes default values returning case when pg_is_in_recovery() then 'replica' else 'primary' end as source`
    expect(await database.one(written, toSource, mayLag)).toBe('primary')
  })

  test('when a class of work has a pool, so it has one to the replica, and the gauges say which is which', async () => {
    const name = sql`select current_setting('application_name') as source`
    const applicationName = () => database.one(name, (row: { readonly source: string }) => row.source, mayLag)
    expect(await applicationName()).toBe('holdfast replica')
    expect(await isolated('reporting', applicationName)).toBe('holdfast reporting replica')
    const { pools, total } = database.stats()
    expect(Object.keys(pools)).toEqual(['interactive', 'reporting', 'interactive replica', 'reporting replica'])
    expect(pools['reporting replica']).toEqual({ total: 1, idle: 1, waiting: 0 })
    expect(total).toBe(Object.values(pools).reduce((sum, pool) => sum + pool.total, 0))
  })

  test('when rows are secured, they are so on the replica too', async () => {
    await write(admin)
    await replica.catchUp()
    await reopen({ role: 'app_service' })
    const owners = sql`select distinct owner, case when pg_is_in_recovery() then 'replica' end as source from notes`
    const see = (who: Caller) => actAs(who, () => database.rowSecured.query(owners, mayLag))
    expect(await see(ann)).toEqual([{ owner: 'ann', source: 'replica' }])
    expect(await see(bob)).toEqual([])
    expect(await database.query(owners, mayLag)).toEqual([])
  })

  test('when it is a primary of its own, nobody asks it', async () => {
    await reopen({ replica: { url: primary.url } })
    await pass(1000)
    const name = sql`select current_setting('application_name') as name`
    expect(await database.query(name, mayLag)).toEqual([{ name: 'holdfast' }])
  })
})

describe('given a replica that is behind', () => {
  beforeEach(() => replica.pause())

  test.each([
    ['by its request', <Result>(work: () => Promise<Result>) => inRequest(ann, work)],
    ['by somebody acting for it', <Result>(work: () => Promise<Result>) => actAs(ann, work)],
    [
      'in a request in which it acts for another',
      <Result>(work: () => Promise<Result>) => inRequest(ann, () => actAs(bob, work)),
    ],
  ])('when a session has written %s, the primary answers it until the replica knows of that', async (_, asAnn) => {
    const carl = caller('carl', 'session of carl')
    await asAnn(() => write())
    expect(await inRequest(ann, () => source())).toBe('primary')
    expect(await asAnn(() => source())).toBe('primary')
    expect(await actAs(carl, () => source())).toBe('replica')
    expect(await inRequest(undefined, () => source())).toBe('replica')
    await pass(250)
    expect(await inRequest(ann, () => source())).toBe('primary')
    await replica.resume()
    await replica.catchUp()
    await pass(250)
    expect(await inRequest(ann, () => source())).toBe('replica')
  })

  test('when it has written in a transaction, that counts; one that may only read does not', async () => {
    await actAs(bob, () => database.transaction(() => source(), { readOnly: true }))
    await actAs(bob, () => database.query(sql`with few as (select 1 as id) select * from few`))
    expect(await actAs(bob, () => source())).toBe('replica')
    await actAs(bob, () => database.transaction(() => write()))
    expect(await actAs(bob, () => source())).toBe('primary')
  })

  test('when a write failed, it counts as well: some were done and nobody heard of it', async () => {
    await actAs(bob, () => database.execute(sql`insert into nowhere values (1)`)).catch(() => {})
    expect(await actAs(bob, () => source())).toBe('primary')
    const undone = actAs(ann, () =>
      database.transaction(async () => {
        await write()
        throw new Error('undo')
      }),
    )
    await undone.catch(() => {})
    expect(await actAs(ann, () => source())).toBe('primary')
  })

  test('when nobody is signed in, a request knows of what it has written', async () => {
    await inRequest(undefined, async () => {
      expect(await source()).toBe('replica')
      await write()
      expect(await source()).toBe('primary')
    })
    expect(await inRequest(undefined, () => source())).toBe('replica')
  })

  test('when it stays behind for longer than an answer may be old, the primary answers everybody', async () => {
    await write(admin)
    await pass(750)
    expect(await source()).toBe('replica')
    await pass(1000)
    expect(await source()).toBe('primary')
    expect(await actAs(bob, () => source())).toBe('primary')
    await replica.resume()
    await replica.catchUp()
    await pass(250)
    expect(await source()).toBe('replica')
    expect(logger.lines).toEqual([])
  })

  test('when a migration has not reached it, the primary answers', async () => {
    await admin.execute(sql`create table fresh as select 'here' as text`)
    expect(await database.query(sql`select text from fresh`, mayLag)).toEqual([{ text: 'here' }])
    await admin.execute(sql`drop table fresh`)
    expect(await source()).toBe('replica')
    await expect(database.query(sql`select text from fresh`, mayLag)).rejects.toMatchObject({ code: '42P01' })
  })
})

describe('given a replica on a bad day', () => {
  const slowOnReplica = sql`
    select case when pg_is_in_recovery() then 'replica' else 'primary' end as source,
      (select count(*) from notes), case when pg_is_in_recovery() then pg_sleep(30)::text end`
  const begun = async (): Promise<void> => {
    const direct = createDatabase({ url: replica.url })
    await vi.waitFor(
      async () => {
        const found = sql`select 1 from pg_stat_activity where query like '%pg_sleep(30)%' and wait_event = 'PgSleep'`
        expect(await direct.query(found)).toHaveLength(1)
      },
      { interval: 20, timeout: 10_000 },
    )
    await direct.close()
  }

  test('when it is killed, the primary answers, those who were waiting too; and when it is back, it is used again', async () => {
    const waiting = database.one(slowOnReplica, toSource, mayLag)
    await begun()
    await replica.kill()
    expect(await waiting).toBe('primary')
    expect(await Promise.all([source(), source(), source()])).toEqual(['primary', 'primary', 'primary'])
    await pass(1000)
    expect(await source()).toBe('primary')
    await replica.start()
    await replica.catchUp()
    await pass(500)
    expect(await source()).toBe('replica')
    expect(database.stats().pools['interactive replica']).toMatchObject({ waiting: 0 })
    const said = logger.lines.filter(({ message }) => message.includes('replica'))
    expect(said.map(({ level }) => level)).toEqual(['warn', 'info'])
  }, 60_000)

  test('when it gives up on a query so as to keep up, the primary answers', async () => {
    const waiting = database.one(slowOnReplica, toSource, mayLag)
    await begun()
    await admin.execute(sql`truncate notes`)
    expect(await waiting).toBe('primary')
    expect(await source()).toBe('replica')
  })

  test('when the network swallows it, one query waits for its own limit, and the next ones ask the primary', async () => {
    await reopen({ statementTimeoutMs: 800, queryTimeoutMs: 1000 })
    expect(await source()).toBe('replica')
    await replica.proxy.blackhole()
    expect(await source()).toBe('primary')
    const { accepted } = replica.proxy.counts
    expect(await Promise.all([source(), source()])).toEqual(['primary', 'primary'])
    expect(replica.proxy.counts.accepted).toBe(accepted)
  })

  test('when the database is closed, nothing of it goes on', async () => {
    await database.close()
    expect(clock.pending).toBe(0)
    expect(logger.lines).toEqual([])
    await expect(source()).rejects.toMatchObject({ code: 'database.closed' })
  })

  // The last one: it is no replica any more.
  test('when it goes its own way, nobody asks it, though it lacks nothing yet', async () => {
    const name = sql`select current_setting('application_name') as name`
    expect(await database.query(name, mayLag)).toEqual([{ name: 'holdfast replica' }])
    const direct = createDatabase({ url: replica.url })
    await direct.query(sql`select pg_promote()`)
    await direct.close()
    await pass(1250)
    expect(await database.query(name, mayLag)).toEqual([{ name: 'holdfast' }])
  })
})
