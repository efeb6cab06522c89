import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { isolated } from '../../core/context/acting.ts'
import { withRequest } from '../../core/context/request-context.ts'
import type { RequestContext } from '../../core/context/request-context.ts'
import { silentLogger } from '../../foundation/logger.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
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
  admin = createDatabase({ url: server.url, applicationName: 'admin' })
}, 60_000)

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()))
})

afterAll(async () => {
  await admin?.close()
  await server?.stop()
})

const nameOf = (one: Database) =>
  one.one(sql`select current_setting('application_name') as name`, (row: { readonly name: string }) => row.name)
const sleep = (one: Database, seconds = 20) => one.query(sql`select pg_sleep(${seconds})`)
const sleeping = (name: string) =>
  admin.query(sql`select 1 from pg_stat_activity where application_name = ${name} and wait_event = 'PgSleep'`)
const areSleeping = (name: string, count: number) =>
  vi.waitFor(async () => expect(await sleeping(name)).toHaveLength(count))

function inRequest<Result>(more: Partial<RequestContext>, work: () => Result): Result {
  const context: RequestContext = {
    requestId: 'r',
    clientAddress: '203.0.113.9',
    principal: undefined,
    isolation: undefined,
    logger: silentLogger,
    signal: new AbortController().signal,
    traceparent: '',
    remainingMs: () => 1000,
    ...more,
  }
  return withRequest(context, work, undefined)
}

const withReporting = { applicationName: 'shop', workloads: { reporting: { maxConnections: 2, maxWaiting: 1 } } }

describe('given a pool for reports', () => {
  test('when work belongs to that class, by its route or by name, it runs there; other work does not', async () => {
    const one = open(withReporting)
    expect(one.workloads).toEqual(['interactive', 'reporting'])
    expect(await nameOf(one)).toBe('shop')
    expect(await inRequest({ isolation: 'reporting' }, () => nameOf(one))).toBe('shop reporting')
    expect(await isolated('reporting', () => one.transaction(() => nameOf(one)))).toBe('shop reporting')
    expect(await inRequest({ isolation: 'mails' }, () => nameOf(one))).toBe('shop')
  })

  test('when reports use up their pool, they are refused at once, and light work does not notice', async () => {
    const one = open(withReporting)
    const heavy = () => isolated('reporting', () => sleep(one))
    const running = [heavy(), heavy(), heavy()]
    for (const report of running) report.catch(() => {})
    await areSleeping('shop reporting', 2)
    expect(one.stats().pools).toMatchObject({
      reporting: { total: 2, idle: 0, waiting: 1 },
      interactive: { waiting: 0 },
    })
    await expect(heavy()).rejects.toMatchObject({ kind: 'unavailable', code: 'database.busy', retryAfterSeconds: 1 })
    expect(await nameOf(one)).toBe('shop')
    expect(one.stats()).toMatchObject({ total: 3, idle: 1, waiting: 1 })
  })

  test('when it has limits of its own, the server knows them; the rest is as the database has it', async () => {
    const one = open({
      statementTimeoutMs: 900,
      lockTimeoutMs: 800,
      workloads: {
        reporting: { maxConnections: 1, statementTimeoutMs: 7000 },
        quick: { maxConnections: 1, statementTimeoutMs: 300 },
      },
    })
    const limits = () =>
      one.query(sql`select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock`)
    expect(await limits()).toEqual([{ statement: '900ms', lock: '800ms' }])
    expect(await isolated('reporting', limits)).toEqual([{ statement: '7s', lock: '800ms' }])
    expect(await isolated('quick', limits)).toEqual([{ statement: '300ms', lock: '300ms' }])
  })

  test('when work belongs to a class that has none, the log says so once, and the default pool serves it', async () => {
    const log = createRecordingLogger()
    const one = open({ ...withReporting, logger: log })
    for (let times = 0; times < 3; times++) expect(await isolated('raporting', () => nameOf(one))).toBe('shop')
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('"raporting"') })
  })

  test.each([
    [{ reporting: {} }, 'workloads.reporting: maxConnections'],
    [{ reporting: { maxConnections: 0 } }, 'workloads.reporting: maxConnections is 0'],
    [
      { reporting: { maxConnections: 1, priority: 'some' } },
      'workloads.reporting: priority is high or low; received some',
    ],
    [{ interactive: { maxConnections: 1 } }, "which is the database's own"],
    [{ 'Bad Name': { maxConnections: 1 } }, 'received "Bad Name"'],
  ])('when it is %j, that is refused', (workloads, message) => {
    expect(() => open({ workloads: workloads as never })).toThrow(message)
  })
})

describe('given a pool of low priority', () => {
  const options = {
    applicationName: 'shop',
    maxConnections: 1,
    workloads: { background: { maxConnections: 4, priority: 'low' as const, connectionTimeoutMs: 5000 } },
  }

  test('when calls of high priority wait, it begins nothing until they are served', async () => {
    const one = open(options)
    const order: string[] = []
    const high = (name: string) => sleep(one, 0.2).then(() => order.push(name))
    const urgent = [high('first'), high('second'), high('third')]
    await areSleeping('shop', 1)
    const low = isolated('background', () => nameOf(one)).then(() => order.push('low'))
    await vi.waitFor(() => expect(one.stats().pools['background']).toEqual({ total: 0, idle: 0, waiting: 1 }))
    await Promise.all([...urgent, low])
    expect(order.indexOf('low')).toBeGreaterThan(order.indexOf('first'))
    expect(order.indexOf('low')).toBeGreaterThanOrEqual(1)
  })

  test('when those who wait leave without being served, it goes on too', async () => {
    const one = open(options)
    const gone = new AbortController()
    const running = sleep(one, 20)
    running.catch(() => {})
    await areSleeping('shop', 1)
    const waiting = inRequest({ signal: gone.signal }, () => nameOf(one))
    waiting.catch(() => {})
    await vi.waitFor(() => expect(one.stats().waiting).toBe(1))
    const low = isolated('background', () => nameOf(one))
    await vi.waitFor(() => expect(one.stats().pools['background']).toMatchObject({ waiting: 1 }))
    gone.abort(new Error('The client has gone'))
    expect(await low).toBe('shop background')
    await expect(waiting).rejects.toThrow('The client has gone')
  })
})

describe('given a client that leaves', () => {
  test('when its statement runs, that ends on the server, and the connection serves the next', async () => {
    const one = open({ applicationName: 'leaving', maxConnections: 1 })
    const gone = new AbortController()
    const reason = new Error('The client has gone')
    const asked = inRequest({ signal: gone.signal }, () => sleep(one))
    asked.catch(() => {})
    await areSleeping('leaving', 1)
    const [{ pid } = { pid: 0 }] = await admin.many(
      sql`select pid from pg_stat_activity where application_name = 'leaving'`,
      (row: { readonly pid: number }) => row,
    )
    gone.abort(reason)
    await expect(asked).rejects.toBe(reason)
    await areSleeping('leaving', 0)
    expect(await one.query(sql`select pg_backend_pid() as pid`)).toEqual([{ pid }])
  })

  test('when it waits for a connection, its place in the line is free', async () => {
    const one = open({ maxConnections: 1, maxWaiting: 1, applicationName: 'full' })
    sleep(one, 20).catch(() => {})
    await areSleeping('full', 1)
    const gone = new AbortController()
    const waiting = inRequest({ signal: gone.signal }, () => nameOf(one))
    waiting.catch(() => {})
    await vi.waitFor(() => expect(one.stats().waiting).toBe(1))
    gone.abort(new Error('The client has gone'))
    await expect(waiting).rejects.toThrow('The client has gone')
    expect(one.stats().waiting).toBe(0)
  })

  test('when a connection is being opened for it, it does not wait for that, and the next one gets it', async () => {
    const heard = Promise.withResolvers<void>()
    const mayGoOn = Promise.withResolvers<void>()
    const slow = createServer((client) => {
      heard.resolve()
      client.on('error', () => {})
      void mayGoOn.promise.then(() => client.pipe(connect(Number(new URL(server.url).port), '127.0.0.1')).pipe(client))
    }).listen(0, '127.0.0.1')
    await once(slow, 'listening')
    const url = new URL(server.url)
    url.hostname = '127.0.0.1'
    url.port = String((slow.address() as AddressInfo).port)
    const one = open({ url: url.href, maxConnections: 1 })
    const gone = new AbortController()
    const reason = new Error('The client has gone')
    const asked = inRequest({ signal: gone.signal }, () => one.query(sql`select 1`))
    await heard.promise
    gone.abort(reason)
    // Else it would have to wait for ever.
    await expect(asked).rejects.toBe(reason)
    const next = one.query(sql`select 1 as one`)
    mayGoOn.resolve()
    expect(await next).toEqual([{ one: 1 }])
    expect(one.stats()).toMatchObject({ total: 1, idle: 1, waiting: 0 })
    await one.close()
    slow.close()
  })

  test('when it has gone already, nothing is asked for it', async () => {
    const one = open()
    const signal = AbortSignal.abort(new Error('The client has gone'))
    await expect(inRequest({ signal }, () => nameOf(one))).rejects.toThrow('The client has gone')
    expect(one.stats().total).toBe(0)
  })

  test('when a statement has to be done all the same, it is', async () => {
    const one = open()
    const signal = AbortSignal.abort(new Error('The client has gone'))
    const asked = inRequest({ signal }, () =>
      one.one(sql`select 1 as n`, (row: { readonly n: number }) => row.n, { signal: null }),
    )
    expect(await asked).toBe(1)
  })

  test('when it leaves again and again, no statement of somebody else is ever ended', async () => {
    const one = open({ maxConnections: 2, applicationName: 'busy' })
    const ended: unknown[] = []
    const abandon = async (): Promise<void> => {
      const gone = new AbortController()
      const asked = inRequest({ signal: gone.signal }, () => sleep(one, 0.004)).catch(() => {})
      setTimeout(() => gone.abort(new Error('The client has gone')), Math.random() * 8)
      await asked
    }
    const stay = () => sleep(one, 0.002).catch((error: unknown) => ended.push(error))
    for (let round = 0; round < 60; round++) await Promise.all([abandon(), stay(), abandon(), stay()])
    expect(ended).toEqual([])
    await vi.waitFor(() => expect(one.stats()).toMatchObject({ total: one.stats().idle, waiting: 0 }))
  })
})
