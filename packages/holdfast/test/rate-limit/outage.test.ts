import { afterEach, describe, expect, test, vi } from 'vitest'
import { type EmbeddedRedis, startEmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { createRedisLimitStore } from '../../src/adapters/redis/limit-store.ts'
import { createRedis } from '../../src/adapters/redis/redis.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import type { Limiter, LimitGate } from '../../src/core/rate-limit/limiter.ts'
import { createRecordingLogger, type RecordingLogger } from '../../src/testing/recording-logger.ts'
import { freeze, kill, thaw } from '../faults/processes.ts'
import { type FaultProxy, startProxy } from '../faults/proxy.ts'
import { gateOf, Load, type Outcome } from './load.ts'

const login = { by: 'address', quota: 30, windowSeconds: 60 } as const
const api = { by: 'address', quota: 1200, windowSeconds: 60, burst: 40 } as const
// Longer than the default, so that on a busy machine nothing but the fault makes a call wait.
const maxWaitMs = 500
const slackMs = 500
const patience = { timeout: 15_000, interval: 20 }

const cleanUps: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

interface Scene {
  readonly limiter: Limiter
  readonly gates: readonly [LimitGate, LimitGate]
  readonly logger: RecordingLogger
  readonly proxy: FaultProxy
  readonly server: () => EmbeddedRedis
  readonly restart: () => Promise<void>
}

async function startScene(): Promise<Scene> {
  let server = await startServer()
  const { port } = server
  const password = new URL(server.url).password
  const proxy = await startProxy(port)
  // Far longer than a call may wait: the driver is of no help.
  const redis = createRedis({ url: `redis://:${password}@127.0.0.1:${proxy.port}`, commandTimeoutMs: 10_000 })
  await redis.check()
  const logger = createRecordingLogger()
  const store = createRedisLimitStore(redis)
  const limiter = createLimiter({ policies: { login, api }, store, maxWaitMs, retryStoreMs: 200, logger })
  cleanUps.push(
    () => server.stop(),
    () => proxy.stop(),
    () => redis.close(),
  )
  return {
    limiter,
    gates: [gateOf(limiter, 'login'), gateOf(limiter, 'api')],
    logger,
    proxy,
    server: () => server,
    restart: async () => void (server = await startServer({ port, password })),
  }
}

async function startServer(options?: { port: number; password: string }): Promise<EmbeddedRedis> {
  const server = await startEmbeddedRedis(options)
  if (server === undefined) throw new Error('There is no redis-server on PATH')
  return server
}

/** What a subject may have passed by one counter that was full at first. */
const most = (
  { quota, windowSeconds, burst }: { quota: number; windowSeconds: number; burst?: number },
  seconds: number,
) => (burst ?? quota) + (quota / windowSeconds) * seconds

interface Fault {
  readonly name: string
  readonly strike: (scene: Scene) => Promise<unknown> | void
  readonly heal: (scene: Scene) => Promise<unknown> | void
}

const faults: readonly Fault[] = [
  {
    name: 'is frozen (SIGSTOP)',
    strike: ({ server }) => freeze(server().pid),
    heal: ({ server }) => thaw(server().pid),
  },
  { name: 'is killed and started anew', strike: ({ server }) => kill(server().pid), heal: ({ restart }) => restart() },
  { name: 'is behind a black hole', strike: ({ proxy }) => proxy.blackhole(), heal: ({ proxy }) => proxy.pass() },
  {
    name: 'becomes slower than a call waits',
    strike: ({ proxy }) => proxy.delay(1000),
    heal: ({ proxy }) => proxy.pass(),
  },
  {
    name: 'refuses and drops connections',
    strike: ({ proxy }) => proxy.refuse().then(() => proxy.reset()),
    heal: ({ proxy }) => proxy.pass(),
  },
]

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))

describe.each(faults)('given a Redis that $name under load', ({ name, strike, heal }) => {
  test('when calls come before, meanwhile and after, none fails, few wait once, and the limit holds', async () => {
    const scene = await startScene()
    const { limiter, gates, logger } = scene
    const subjects = Array.from({ length: 8 }, (_, index) => `192.0.2.${index}`)
    const flood = async (load: Load, ms: number): Promise<void> =>
      void (await Promise.all(gates.map((gate) => load.keepUp(gate, subjects, { calls: 4, ms }))))

    const load = new Load(maxWaitMs / 2)
    await flood(load, 300)
    expect(limiter.isShared).toBe(true)
    const striking = strike(scene)
    await flood(load, 1200)
    await striking
    // A flood is mostly denials, which are known here: subjects of whom nothing is known are what asks the store.
    const fresh = new Load(0)
    for (let call = 0; call < 500; call += 1) for (const gate of gates) fresh.call(gate, `198.51.100.${call}`)
    const newcomer = new Load(0)
    for (let call = 0; call < 300; call += 1) newcomer.call(gates[0], '203.0.113.1')
    expect(limiter.isShared).toBe(false)
    const healing = heal(scene)
    await healing
    await vi.waitFor(() => expect(limiter.isShared).toBe(true), patience)
    await flood(load, 300)

    const first = await load.outcome()
    const without = await fresh.outcome()
    const alone = await newcomer.outcome()
    report(name, first, logger)
    expect([first.failed, without.failed, unhandled]).toEqual([0, 0, []])
    expect(without.waits, 'from the first call that waited on, none does').toEqual([])
    expect(Math.max(0, ...first.waits)).toBeLessThan(maxWaitMs + slackMs)
    expect(alone.admitted).toBeGreaterThanOrEqual(login.quota)
    expect(alone.admitted).toBeLessThanOrEqual(login.quota + 1)
    // Once in Redis, once in this process, and for the one that is started anew and knows nothing once more.
    const seconds = first.tookMs / 1000 + 0.5
    const perSubject = most(login, seconds) + most(api, seconds)
    expect(first.admitted).toBeLessThanOrEqual(subjects.length * perSubject * (name.includes('anew') ? 3 : 2))
    expect(first.admitted).toBeGreaterThanOrEqual(subjects.length * login.quota)
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn', 'info'])
  })
})

function report(name: string, { calls, admitted, waits, tookMs }: Outcome, logger: RecordingLogger): void {
  const longest = Math.round(Math.max(0, ...waits))
  const away = logger.lines.find(({ level }) => level === 'info')?.fields['awayMs']
  console.log(
    `${name}: ${calls} calls in ${(tookMs / 1000).toFixed(1)} s, ${admitted} admitted, 0 failed, ` +
      `${waits.length} waited, at most ${longest} ms; back to shared after ${away} ms`,
  )
}
