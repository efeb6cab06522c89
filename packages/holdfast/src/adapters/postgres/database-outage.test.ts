import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { silentLogger } from '../../foundation/logger.ts'
import type { Logger } from '../../foundation/logger.ts'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import type { DatabaseOptions } from './database-options.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { sql } from './sql.ts'

let server: EmbeddedPostgres
let admin: Database
const opened: Database[] = []

function open(options: Partial<DatabaseOptions> = {}): Database {
  const one = createDatabase({ url: server.url, closeTimeoutMs: 200, ...options })
  opened.push(one)
  return one
}

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  admin = createDatabase({ url: server.url })
}, 60_000)

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()))
})

afterAll(async () => {
  await admin?.close()
  await server?.stop()
})

const pid = sql`select pg_backend_pid() as pid`
const toPid = (row: { readonly pid: number }): number => row.pid
const sleep = (seconds: number) => sql`select pg_sleep(${seconds})`

async function timed(work: Promise<unknown>): Promise<{ thrown: unknown; ms: number }> {
  const from = performance.now()
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  return { thrown, ms: performance.now() - from }
}

const isRunning = (one: Database): Promise<void> =>
  vi.waitFor(() => expect(one.stats()).toMatchObject({ total: 1, idle: 0 }))

/** Waits until the server works on `n` calls of pg_sleep for this application. */
async function areSleeping(name: string, n: number): Promise<void> {
  await vi.waitFor(async () => {
    const rows = await admin.query(
      sql`select 1 from pg_stat_activity where application_name = ${name} and wait_event = 'PgSleep'`,
    )
    expect(rows).toHaveLength(n)
  })
}

describe('given limits on every wait', () => {
  test('when a connection opens, the server knows all of them', async () => {
    const one = open({
      statementTimeoutMs: 7000,
      lockTimeoutMs: 600,
      idleInTransactionTimeoutMs: 8000,
      applicationName: 'shop',
    })
    const settings = await one.query(sql`
      select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
        current_setting('idle_in_transaction_session_timeout') as idle, current_setting('application_name') as name`)

    expect(settings).toEqual([{ statement: '7s', lock: '600ms', idle: '8s', name: 'shop' }])
  })

  test('when nothing is said, no limit is missing', async () => {
    const settings = await open().query(sql`
      select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
        current_setting('idle_in_transaction_session_timeout') as idle`)

    expect(settings).toEqual([{ statement: '10s', lock: '3s', idle: '10s' }])
  })

  test('when a statement takes too long, it is a timeout and its connection goes on', async () => {
    const one = open({ maxConnections: 1, statementTimeoutMs: 150 })
    const before = await one.one(pid, toPid)
    const { thrown, ms } = await timed(one.query(sleep(20)))

    expect(thrown).toMatchObject({ kind: 'timeout', code: 'database.timeout' })
    expect(ms).toBeLessThan(1500)
    expect(await one.one(pid, toPid)).toBe(before)
  })

  test('when a lock is not given, it is unavailable for now', async () => {
    const one = open({ lockTimeoutMs: 100 })
    await one.execute(sql`create table if not exists locked (id int primary key)`)
    const holder = open({ applicationName: 'holder', statementTimeoutMs: 5000 })
    const holding = holder.query(sql`with held as (select pg_advisory_xact_lock(42)) select pg_sleep(3) from held`)
    holding.catch(() => {})
    await areSleeping('holder', 1)
    const { thrown, ms } = await timed(one.query(sql`select pg_advisory_xact_lock(42)`))

    expect(thrown).toMatchObject({ kind: 'unavailable', code: 'database.busy', cause: { code: '55P03' } })
    expect(ms).toBeLessThan(1500)
    await holder.close()
  })

  test('when all connections are taken, a query waits only so long', async () => {
    const one = open({ maxConnections: 1, connectionTimeoutMs: 150 })
    one.query(sleep(2)).catch(() => {})
    await isRunning(one)
    const { thrown, ms } = await timed(one.query(pid))

    expect(thrown).toMatchObject({ kind: 'unavailable', retryAfterSeconds: expect.any(Number) })
    expect(ms).toBeGreaterThan(100)
    expect(ms).toBeLessThan(1500)
  })

  test('when too many wait already, the next one does not', async () => {
    const one = open({ maxConnections: 1, maxWaiting: 1, connectionTimeoutMs: 1000 })
    one.query(sleep(2)).catch(() => {})
    await isRunning(one)
    const waiting = one.query(pid)
    waiting.catch(() => {})
    await vi.waitFor(() => expect(one.stats()).toMatchObject({ total: 1, idle: 0, waiting: 1 }))
    const { thrown, ms } = await timed(one.query(pid))

    expect(thrown).toMatchObject({ kind: 'unavailable', code: 'database.busy' })
    expect(ms).toBeLessThan(100)
  })

  test('when nobody may wait, free connections still serve', async () => {
    const one = open({ maxConnections: 2, maxWaiting: 0 })

    for (let index = 0; index < 3; index += 1)
      expect(await Promise.all([one.query(pid), one.query(pid)])).toHaveLength(2)
  })

  test('when the pool drains again, waiting queries are served in order', async () => {
    const one = open({ maxConnections: 2 })
    const all = await Promise.all(Array.from({ length: 50 }, () => one.one(pid, toPid)))

    expect(new Set(all).size).toBeLessThanOrEqual(2)
    expect(one.stats()).toMatchObject({ total: 2, idle: 2, waiting: 0 })
  })
})

describe('given a backend that ends', () => {
  test('when its connection was idle, it is reported and the next query opens another', async () => {
    const lines: string[] = []
    const logger: Logger = { ...silentLogger, warn: (_, message) => lines.push(message) }
    const one = open({ maxConnections: 1, logger })
    const before = await one.one(pid, toPid)
    await admin.query(sql`select pg_terminate_backend(${before})`)
    await vi.waitFor(() => expect(one.stats().total).toBe(0))

    expect(lines).toHaveLength(1)
    expect(await one.one(pid, toPid)).not.toBe(before)
  })

  test('when it is terminated in the middle of a query, that one is unavailable and the next one works', async () => {
    const one = open({ maxConnections: 1, applicationName: 'victim' })
    const before = await one.one(pid, toPid)
    const running = timed(one.query(sleep(20)))
    await areSleeping('victim', 1)
    await admin.query(sql`select pg_terminate_backend(${before})`)

    expect((await running).thrown).toMatchObject({ kind: 'unavailable', cause: { code: '57P01' } })
    expect(await one.one(pid, toPid)).not.toBe(before)
  })

  test('when it crashes and takes all others with it, the pool heals by itself', async () => {
    const one = open({ maxConnections: 4, applicationName: 'crash' })
    const [victim] = await one.many(pid, toPid)
    const running = Array.from({ length: 3 }, () => timed(one.query(sleep(20))))
    await areSleeping('crash', 3)
    process.kill(victim as number, 'SIGKILL')

    for (const { thrown } of await Promise.all(running)) expect(thrown).toMatchObject({ kind: 'unavailable' })
    await vi.waitFor(() => one.query(pid), { timeout: 10_000, interval: 20 })
    await vi.waitFor(() => admin.query(pid), { timeout: 10_000 })
    while (one.stats().total < 4) await Promise.all(Array.from({ length: 4 }, () => one.query(sleep(0.02))))
  })
})

describe('given a database that cannot be reached', () => {
  const listening: (Server | Socket)[] = []
  afterEach(() => {
    for (const one of listening.splice(0)) {
      if ('close' in one) one.close()
      else one.destroy()
    }
  })

  test('when nobody listens, every query is unavailable at once and the message names no host', async () => {
    const one = open({ url: 'postgres://somebody:hunter2@127.0.0.1:1/shop' })
    const { thrown, ms } = await timed(one.query(pid))

    expect(thrown).toMatchObject({ kind: 'unavailable', retryAfterSeconds: expect.any(Number) })
    expect((thrown as Error).message).not.toMatch(/127|hunter2|somebody|shop/)
    expect(ms).toBeLessThan(1000)
    await expect(one.check()).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test('when its name does not resolve, it is unavailable', async () => {
    const { thrown, ms } = await timed(
      open({ url: 'postgres://a:b@db.invalid/shop', connectionTimeoutMs: 1000 }).query(pid),
    )

    expect(thrown).toMatchObject({ kind: 'unavailable' })
    expect(ms).toBeLessThan(2500)
  })

  test('when it takes the connection and then says nothing, query and check wait only so long', async () => {
    const silent = createServer((socket) => listening.push(socket))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    listening.push(silent)
    const url = `postgres://a:b@127.0.0.1:${(silent.address() as AddressInfo).port}/shop`
    const one = open({ url, connectionTimeoutMs: 200, checkTimeoutMs: 100 })

    for (const { work, least } of [
      { work: () => one.query(pid), least: 150 },
      { work: () => one.check(), least: 80 },
    ]) {
      const { thrown, ms } = await timed(work())
      expect(thrown).toMatchObject({ kind: 'unavailable' })
      expect(ms).toBeGreaterThan(least)
      expect(ms).toBeLessThan(1500)
    }
  })

  test('when the password is wrong, it is unavailable', async () => {
    const url = server.url.replace(/:[^:@]+@/, ':wrong@')

    await expect(open({ url }).query(pid)).rejects.toMatchObject({ kind: 'unavailable', cause: { code: '28P01' } })
  })
})

/** Passes bytes on to the server until told to swallow them, or to refuse everybody. */
interface Proxy {
  readonly url: string
  mode: 'pass' | 'swallow' | 'refuse'
  cut(): void
  close(): void
}

async function startProxy(): Promise<Proxy> {
  const { port } = new URL(server.url)
  const sockets = new Set<Socket>()
  const listener = createServer((near) => {
    if (proxy.mode === 'refuse') return near.resetAndDestroy()
    const far = connect(Number(port), '127.0.0.1')
    const pass = (from: Socket, to: Socket): void => {
      sockets.add(from)
      from.on('data', (bytes) => proxy.mode === 'pass' && to.write(bytes))
      from.on('error', () => {})
      from.on('close', () => to.destroy())
    }
    pass(near, far)
    pass(far, near)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const url = new URL(server.url)
  url.port = String((listener.address() as AddressInfo).port)
  const proxy: Proxy = {
    url: url.href,
    mode: 'pass',
    cut: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    close() {
      proxy.cut()
      listener.close()
    },
  }
  return proxy
}

describe('given a network between us and the database', () => {
  let proxy: Proxy
  afterEach(() => proxy.close())

  test('when it swallows the answer, the query is unavailable after its time and later ones work', async () => {
    proxy = await startProxy()
    const one = open({ url: proxy.url, statementTimeoutMs: 100, queryTimeoutMs: 200, connectionTimeoutMs: 300 })
    await one.query(pid)
    proxy.mode = 'swallow'
    const { thrown, ms } = await timed(one.query(pid))

    expect(thrown).toMatchObject({ kind: 'unavailable', cause: { message: 'Query read timeout' } })
    expect(ms).toBeLessThan(1500)
    proxy.mode = 'pass'
    await vi.waitFor(() => one.query(pid))
    expect(one.stats().waiting).toBe(0)
  })

  test('when it resets connections and refuses new ones, queries are unavailable until it is back', async () => {
    proxy = await startProxy()
    const one = open({ url: proxy.url, connectionTimeoutMs: 500 })
    const running = timed(one.query(sleep(20)))
    await isRunning(one)
    proxy.mode = 'refuse'
    proxy.cut()

    expect((await running).thrown).toMatchObject({ kind: 'unavailable' })
    for (let index = 0; index < 5; index += 1)
      await expect(one.query(pid)).rejects.toMatchObject({ kind: 'unavailable' })
    proxy.mode = 'pass'
    await vi.waitFor(() => one.query(pid))
  })

  test('when it swallows the check, readiness hears it in time', async () => {
    proxy = await startProxy()
    const one = open({ url: proxy.url, checkTimeoutMs: 100 })
    await one.check()
    await one.query(pid)
    await one.check()
    proxy.mode = 'swallow'

    for (let index = 0; index < 2; index += 1) {
      const { thrown, ms } = await timed(one.check())
      expect(thrown).toMatchObject({ kind: 'unavailable' })
      expect(ms).toBeLessThan(1000)
    }
    proxy.mode = 'pass'
    await vi.waitFor(() => one.check())
  })

  test('when it swallows everything while we close, closing ends in time', async () => {
    proxy = await startProxy()
    const one = open({ url: proxy.url, closeTimeoutMs: 150 })
    await Promise.all([one.query(pid), one.query(pid)])
    proxy.mode = 'swallow'
    const running = timed(one.query(pid))
    const { ms } = await timed(one.close())

    expect(ms).toBeLessThan(1000)
    expect((await running).thrown).toMatchObject({ kind: 'unavailable' })
  })
})

describe('given a readiness check', () => {
  test('when all connections are busy, the database still counts as alive', async () => {
    const one = open({ maxConnections: 1, connectionTimeoutMs: 100 })
    one.query(sleep(2)).catch(() => {})
    await isRunning(one)

    await expect(one.check()).resolves.toBeUndefined()
  })

  test('when the signal is aborted, it stops waiting with the reason', async () => {
    const reason = new Error('probe gave up')

    await expect(admin.check(AbortSignal.abort(reason))).rejects.toBe(reason)
    const controller = new AbortController()
    const checking = open().check(controller.signal)
    controller.abort(reason)
    await expect(checking).rejects.toBe(reason)
  })

  test('when it has passed, no connection stays behind', async () => {
    const one = open({ applicationName: 'probe' })
    for (let index = 0; index < 5; index += 1) await one.check()

    await vi.waitFor(async () => {
      expect(await admin.query(sql`select 1 from pg_stat_activity where application_name = 'probe'`)).toEqual([])
    })
  })
})

describe('given a database that is closed', () => {
  test('when queries run and wait, they end first', async () => {
    const one = open({ maxConnections: 1, closeTimeoutMs: 5000 })
    const running = [one.one(sql`select 'a' as sku from pg_sleep(0.2)`, toSku), one.one(sql`select 'b' as sku`, toSku)]
    const closing = one.close()

    expect(one.close()).toBe(closing)
    expect(await Promise.all(running)).toEqual(['a', 'b'])
    await closing
    expect(one.stats()).toMatchObject({ total: 0, idle: 0, waiting: 0 })
  })

  test('when a query does not end in time, it is cut off', async () => {
    const one = open({ applicationName: 'cut', closeTimeoutMs: 100 })
    const running = timed(one.query(sleep(20)))
    await areSleeping('cut', 1)
    const { ms } = await timed(one.close())

    expect(ms).toBeLessThan(1500)
    expect((await running).thrown).toMatchObject({ kind: 'unavailable' })
  })

  test('when it is asked again, it is unavailable and opens nothing', async () => {
    const one = open({ applicationName: 'after' })
    await one.query(pid)
    await one.close()

    await expect(one.query(pid)).rejects.toMatchObject({ kind: 'unavailable', code: 'database.closed' })
    await expect(one.check()).rejects.toMatchObject({ kind: 'unavailable' })
    await vi.waitFor(async () => {
      expect(await admin.query(sql`select 1 from pg_stat_activity where application_name = 'after'`)).toEqual([])
    })
  })
})

const toSku = (row: { readonly sku: string }): string => row.sku
