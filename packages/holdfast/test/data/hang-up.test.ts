import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createDatabase } from '../../src/adapters/postgres/database.ts'
import type { Database } from '../../src/adapters/postgres/database.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { edges } from '../edges.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { Random } from './random.ts'
import { type Answer, isAtRest, patience, type Service, startService, tally } from './service.ts'

// Clients that leave, and what becomes of the statements they were waiting for.

const sessions = 50

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster?.remove())

const pidsOf = async (applicationName: string): Promise<number[]> => {
  const rows = await cluster.query<{ pid: number }>(
    'select pid from pg_stat_activity where application_name = $1 order by pid',
    [applicationName],
  )
  return rows.map(({ pid }) => pid)
}
const working = async (applicationName: string): Promise<number> => {
  const rows = await cluster.query(
    `select 1 from pg_stat_activity where application_name = $1 and state = 'active' and query like '%pg_sleep%'`,
    [applicationName],
  )
  return rows.length
}
/** @returns milliseconds until the server works on nothing of it */
async function untilGone(applicationName: string): Promise<number> {
  const from = performance.now()
  while ((await working(applicationName)) > 0) await sleep(5)
  return performance.now() - from
}

describe.each(Object.keys(edges))('given a service on %s', (edge) => {
  let wide: Service
  let narrow: Service
  const random = new Random()

  beforeAll(async () => {
    const options = { url: cluster.url, statementTimeoutMs: 60_000 }
    wide = await startService(edge, { ...options, applicationName: `${edge}-wide`, maxConnections: sessions })
    narrow = await startService(edge, { ...options, applicationName: `${edge}-narrow`, maxConnections: 6 })
  })
  afterAll(() => {
    wide?.stop()
    narrow?.stop()
  })

  const callAll = (path: string, howMany: number, signal?: AbortSignal): Promise<Answer>[] =>
    Array.from({ length: howMany }, () => wide.call(path, undefined, signal))
  const statuses = (answers: readonly Answer[]): Record<string, number> => tally(answers.map(({ status }) => status))

  test.each(['/slow', '/slow-steps'])(
    'when 50 clients of %s hang up, their statements are gone within a second and the connections serve others',
    async (path) => {
      const name = `${edge}-wide`
      const hangUp = new AbortController()
      const left = callAll(`${path}?ms=30000`, sessions, hangUp.signal)
      await vi.waitFor(async () => expect(await working(name)).toBe(sessions), patience)
      const before = await pidsOf(name)
      hangUp.abort()
      const ms = await untilGone(name)
      await Promise.all(left)
      const { pools, defects } = await isAtRest(wide)
      const after = await pidsOf(name)
      console.log(`${edge} ${path}: ${sessions} hung up, the last statement was gone after ${ms.toFixed(0)} ms`)

      expect(ms).toBeLessThan(1000)
      expect(after).toEqual(before)
      expect(pools['interactive']?.total).toBe(sessions)
      expect(defects).toEqual([])
      expect(statuses(await Promise.all(callAll('/light', 2 * sessions)))).toEqual({ 200: 2 * sessions })
    },
  )

  test('when calls run into the deadline of their route, it is 504 and their statements are gone within a second', async () => {
    const name = `${edge}-wide`
    const answers = await Promise.all(callAll('/hasty?ms=30000', sessions))
    const ms = await untilGone(name)
    const before = await pidsOf(name)
    await isAtRest(wide)
    console.log(`${edge}: ${sessions} deadlines, the last statement was gone ${ms.toFixed(0)} ms after the last answer`)

    expect(tally(answers.map(({ status, code }) => `${status} ${code}`))).toEqual({ '504 request.timeout': sessions })
    expect(ms).toBeLessThan(1000)
    expect(await pidsOf(name)).toEqual(before)
  })

  test('when clients hang up all the time, nobody else’s statement ends with theirs', async () => {
    const { accepted } = cluster.proxy.counts
    const endsAt = performance.now() + 1500
    const served: Answer[] = []
    let hungUp = 0
    const impatient = async (): Promise<void> => {
      while (performance.now() < endsAt) {
        const hangUp = new AbortController()
        const timer = setTimeout(() => hangUp.abort(), random.whole(2, 9))
        const { status } = await narrow.call('/slow?ms=8', undefined, hangUp.signal)
        clearTimeout(timer)
        if (status !== 200) hungUp += 1
      }
    }
    const patient = async (path: string): Promise<void> => {
      while (performance.now() < endsAt) served.push(await narrow.call(path))
    }
    await Promise.all([
      ...Array.from({ length: 3 }, impatient),
      ...['/light', '/slow?ms=1', '/slow-steps?ms=1'].map(patient),
    ])
    const { defects } = await isAtRest(narrow)
    const cancels = cluster.proxy.counts.accepted - accepted
    console.log(
      `${edge}: ${hungUp} hung up, some ${cancels} cancels, ${served.length} others ${JSON.stringify(statuses(served))}`,
    )

    expect(statuses(served)).toEqual({ 200: served.length })
    expect(hungUp).toBeGreaterThan(50)
    expect(defects).toEqual([])
  })

  test('when clients hang up in the line for a connection, their places are free at once', async () => {
    const name = `${edge}-narrow`
    const busy = new AbortController()
    const holding = Array.from({ length: 6 }, () => narrow.call('/slow?ms=30000', undefined, busy.signal))
    await vi.waitFor(async () => expect(await working(name)).toBe(6), patience)
    const leave = new AbortController()
    const left = Array.from({ length: 7 }, () => narrow.call('/light', undefined, leave.signal))
    const stayed = Array.from({ length: 3 }, () => narrow.call('/light'))
    const inLine = async (): Promise<number | undefined> => (await narrow.report()).pools['interactive']?.waiting
    await vi.waitFor(async () => expect(await inLine()).toBe(10), patience)
    leave.abort()
    await vi.waitFor(async () => expect(await inLine()).toBe(3), patience)
    expect(await working(name)).toBe(6)
    busy.abort()

    expect(statuses(await Promise.all(stayed))).toEqual({ 200: 3 })
    await Promise.all([...left, ...holding])
    await isAtRest(narrow)
  })
})

describe('given a pool whose statements are cancelled all the time', () => {
  const opened: Database[] = []
  afterAll(() => Promise.all(opened.map((one) => one.close())))
  const open = (applicationName: string, maxConnections: number): Database => {
    const one = createDatabase({ url: cluster.url, applicationName, maxConnections, connectionTimeoutMs: 10_000 })
    opened.push(one)
    return one
  }

  test('when thousands are, no statement of others ends with them', async () => {
    const random = new Random()
    const database = open('hammer', 24)
    const total = 2500
    const count = { begun: 0 }
    const cancelled: string[] = []
    const others: string[] = []
    const codeOf = (error: unknown): string => {
      const { message, cause } = error as Error & { readonly cause?: { readonly code?: string } }
      return cause?.code ?? message
    }
    const cancelling = async (): Promise<void> => {
      while (count.begun < total) {
        count.begun += 1
        const abort = new AbortController()
        const statement = database.query(sql`select pg_sleep(${0.002 + random.share() * 0.006})`, {
          signal: abort.signal,
        })
        const timer = setTimeout(() => abort.abort(new Error('left')), random.whole(0, 3))
        cancelled.push(await statement.then(() => 'done', codeOf))
        clearTimeout(timer)
      }
    }
    const other = async (): Promise<void> => {
      while (count.begun < total) {
        const statement =
          random.share() < 0.5
            ? database.query(sql`select pg_sleep(0.001)`)
            : database.transaction(() => database.query(sql`select pg_sleep(0.001)`))
        others.push(await statement.then(() => 'done', codeOf))
      }
    }
    const { accepted } = cluster.proxy.counts
    // Fewer than connections, so that nobody leaves while in line and each cancel reaches the server.
    await Promise.all([...Array.from({ length: 6 }, cancelling), ...Array.from({ length: 5 }, other)])
    const cancels = cluster.proxy.counts.accepted - accepted - database.stats().total
    console.log(
      `${total} statements to cancel: ${JSON.stringify(tally(cancelled))}, some ${cancels} cancels; ` +
        `others ${JSON.stringify(tally(others))}, seed ${random.seed}`,
    )

    expect(tally(others)).toEqual({ done: others.length })
    expect(cancels).toBeGreaterThan(1000)
    expect(Object.keys(tally(cancelled)).toSorted()).toEqual(['done', 'left'])
    await vi.waitUntil(() => database.stats().idle === database.stats().total, patience)
  })

  test('when the server is told of one only much later, that is nobody else’s end either', async () => {
    const database = open('late', 1)
    const admin = open('late-onlooker', 1)
    const isSleeping = (): Promise<unknown> =>
      vi.waitFor(async () => {
        const rows = await admin.query(
          sql`select 1 from pg_stat_activity where application_name = 'late' and wait_event = 'PgSleep'`,
        )
        expect(rows).toHaveLength(1)
      }, patience)
    const abort = new AbortController()
    const left = database.query(sql`select pg_sleep(0.4)`, { signal: abort.signal }).catch((error: unknown) => error)
    await isSleeping()
    // Sessions go on, but who comes to cancel one is not heard.
    await cluster.freezeEntrance()
    abort.abort(new Error('left'))
    await left
    const next = database.query(sql`select 'next' as said, pg_sleep(1.2)`).catch((error: unknown) => error)
    // Long enough for whoever comes next to have the connection, if anybody gets it.
    await sleep(1500)
    cluster.thaw()

    expect(await next).toMatchObject([{ said: 'next' }])
  })
})
