import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type EmbeddedRedis, startEmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { createRedisLimitStore } from '../../src/adapters/redis/limit-store.ts'
import { createRedis, type Redis } from '../../src/adapters/redis/redis.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import type { LimitGate, LimitPolicy } from '../../src/core/rate-limit/limiter.ts'
import { createMemoryLimitStore } from '../../src/core/rate-limit/memory-limit-store.ts'
import { systemClock } from '../../src/foundation/clock.ts'
import { gateOf } from './load.ts'

let server: EmbeddedRedis
let redis: Redis

beforeAll(async () => {
  const started = await startEmbeddedRedis()
  if (started === undefined) throw new Error('There is no redis-server on PATH')
  server = started
  redis = createRedis({ url: server.url, keyPrefix: 'shop:', commandTimeoutMs: 5000 })
  await redis.check()
})

afterAll(async () => {
  await redis?.close()
  await server?.stop()
})

beforeEach(async () => void (await redis.command('FLUSHALL')))

const keys = async (): Promise<string[]> => ((await redis.command('KEYS', '*')) as string[]).toSorted()
const timeToLive = async (key: string): Promise<number> => (await redis.command('PTTL', key)) as number

async function scriptsRun(): Promise<number> {
  const stats = (await redis.command('INFO', 'commandstats')) as string
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

async function allowed(gate: LimitGate, subject: string, calls: number): Promise<number> {
  const decisions = await Promise.all(Array.from({ length: calls }, async () => gate.take(subject)))
  return decisions.filter(({ isAllowed }) => isAllowed).length
}

const policies: Record<string, LimitPolicy> = {
  login: { by: 'address', quota: 10, windowSeconds: 60 },
  daily: { by: 'address', quota: 100, windowSeconds: 86_400 },
  account: { by: { body: 'email' }, quota: 5, windowSeconds: 900, counts: 'failures' },
}

describe('given a limiter on Redis', () => {
  test('when it counts, each counter is one key that ends when the counter is full, and names nobody', async () => {
    const limiter = createLimiter({ policies, store: createRedisLimitStore(redis), maxWaitMs: 5000 })
    const [byAddress, byAccount] = [gateOf(limiter, 'login', 'daily'), gateOf(limiter, 'account')]
    await byAddress.take('2001:db8::/64')
    await byAccount.take('ann@example.com')

    const [daily = '', login = '', ofAccount = ''] = await keys()
    expect([daily, login]).toEqual(['shop:rl:{a:2001:db8::/64}:daily', 'shop:rl:{a:2001:db8::/64}:login'])
    expect(ofAccount).toMatch(/^shop:rl:\{b:~[\w-]{22}\}:account$/)
    for (const [key, ms] of [
      [login, 6000],
      [daily, 864_000],
      [ofAccount, 180_000],
    ] as const) {
      const left = await timeToLive(key)
      expect(left).toBeGreaterThan(ms - 5000)
      expect(left).toBeLessThanOrEqual(ms)
    }
    byAccount.settle('ann@example.com', 200)
    await vi.waitFor(async () => expect(await keys()).toEqual([daily, login]))
  })

  test('when several policies are asked, that is one script, and a flood of denials is none', async () => {
    const limiter = createLimiter({ policies, store: createRedisLimitStore(redis), maxWaitMs: 5000 })
    const gate = gateOf(limiter, 'login', 'daily')
    const before = await scriptsRun()
    await allowed(gate, '192.0.2.1', 10)
    expect((await scriptsRun()) - before).toBe(10)
    await gate.take('192.0.2.1')
    const denied = await scriptsRun()
    expect(await allowed(gate, '192.0.2.1', 10_000)).toBe(0)
    expect(await scriptsRun()).toBe(denied)
  })

  test('when this process itself is held up, Redis is not taken for one that does not answer', async () => {
    const policy: LimitPolicy = { by: 'address', quota: 6000, windowSeconds: 60 }
    const limiter = createLimiter({ policies: { ...policies, policy }, store: createRedisLimitStore(redis) })
    const gates = [...limiter.gates(['login']), ...limiter.gates(['policy'])]
    for (let turn = 0; turn < 5; turn += 1) {
      const decisions = gates.flatMap((gate) => [gate.take('192.0.2.1'), gate.take('192.0.2.1')])
      // Let the questions out, then do nothing else for longer than a call may wait.
      await new Promise((resolve) => void setImmediate(resolve))
      const endsAt = performance.now() + 300
      while (performance.now() < endsAt);
      await Promise.all(decisions.map(async (decision) => decision))
    }
    expect(limiter.isShared).toBe(true)
  })

  test('when a key holds something else, the counter is new and no call fails', async () => {
    const limiter = createLimiter({ policies, store: createRedisLimitStore(redis), maxWaitMs: 5000 })
    await redis.command('LPUSH', redis.key('rl:{a:192.0.2.1}:login'), 'x')
    await redis.command('SET', redis.key('rl:{a:192.0.2.2}:login'), 'nan')
    await redis.command('SET', redis.key('rl:{a:192.0.2.3}:login'), 'inf')
    const gate = gateOf(limiter, 'login')

    expect(await allowed(gate, '192.0.2.1', 20)).toBe(10)
    expect(await allowed(gate, '192.0.2.2', 20)).toBe(10)
    expect(await allowed(gate, '192.0.2.3', 20)).toBe(0)
    expect(limiter.isShared).toBe(true)
    expect(await timeToLive(redis.key('rl:{a:192.0.2.3}:login'))).toBeLessThanOrEqual(60_001)
  })

  test('when Redis is full it answers to PING and cannot count, so this process counts until it can', async () => {
    const store = createRedisLimitStore(redis)
    const limiter = createLimiter({ policies, store, maxWaitMs: 5000, retryStoreMs: 100 })
    const check = vi.spyOn(store, 'check')
    const gate = gateOf(limiter, 'login')
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    try {
      expect(await allowed(gate, '192.0.2.1', 50)).toBe(10)
      await redis.check()
      await vi.waitFor(() => expect(check).toHaveBeenCalledTimes(3), { timeout: 5000 })
      expect(limiter.isShared).toBe(false)
    } finally {
      await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    }
    await vi.waitFor(() => expect(limiter.isShared).toBe(true), { timeout: 5000 })
  })

  test.each([
    ['forward', 3_600_000, 20],
    ['back', -3_600_000, 10],
  ])(
    'when its clock is stepped %s by an hour, at most one extra burst passes and nobody is locked out',
    async (...row) => {
      const [, step, most] = row
      let shiftMs = 0
      const store = createRedisLimitStore(redis, { shiftMs: () => shiftMs })
      // A new process each time, because one that has denied believes its own clock.
      const gate = (): LimitGate => gateOf(createLimiter({ policies, store, maxWaitMs: 5000 }), 'login')
      let passed = await allowed(gate(), '192.0.2.1', 50)
      shiftMs += step
      passed += await allowed(gate(), '192.0.2.1', 50)
      expect(passed).toBe(most)
      const denial = await gate().take('192.0.2.1')
      expect(denial).toMatchObject({ isAllowed: false, retryAfterSeconds: 6 })
      shiftMs += 6000
      expect(await allowed(gate(), '192.0.2.1', 50)).toBe(1)
      shiftMs += 60_000
      expect(await allowed(gate(), '192.0.2.1', 50)).toBe(10)
    },
  )
})

test('given any takes and returns at any times, the script and the memory store answer alike', async () => {
  const seconds = 1000
  const step = fc.oneof(
    // Forward only: what a step back finds hangs on whether a counter was full by a hair or not quite.
    // No sum of these comes near a whole interval, where it would matter that Redis' own clock runs on.
    fc.record({
      verb: fc.constant('advance'),
      ms: fc.integer({ min: 0, max: 8 }).map((n) => (n * 500 + 37) * seconds),
    }),
    fc.record({ verb: fc.constant('take'), calls: fc.integer({ min: 1, max: 40 }), spare: fc.constantFrom(0, 5, 64) }),
    fc.record({ verb: fc.constant('return'), calls: fc.integer({ min: 1, max: 20 }) }),
  )
  const counter = (policy: string) =>
    fc.record({
      policy: fc.constant(policy),
      intervalMs: fc.constantFrom(1000 * seconds, 7000 * seconds, (10_000 / 3) * seconds),
      burst: fc.integer({ min: 1, max: 200 }),
    })
  let run = 0
  await fc.assert(
    fc.asyncProperty(counter('one'), counter('other'), fc.array(step, { maxLength: 25 }), async (one, other, steps) => {
      run += 1
      let shiftMs = 0
      const inRedis = createRedisLimitStore(redis, { shiftMs: () => shiftMs })
      const inMemory = createMemoryLimitStore({ clock: { ...systemClock, elapsed: () => performance.now() + shiftMs } })
      let [there, here] = [0, 0]
      for (const [index, { verb, ...rest }] of steps.entries()) {
        const counters = index % 3 === 0 ? [one, other] : [one]
        const { ms = 0, calls = 0, spare = 0 } = rest as { ms?: number; calls?: number; spare?: number }
        shiftMs += ms
        if (verb === 'take') {
          const expected = inMemory.takeNow(`a:${run}`, counters, calls, spare)
          const taken = await inRedis.take(`a:${run}`, counters, calls, spare)
          expect(taken.granted).toBe(expected.granted)
          for (const [i, resetMs] of taken.resetMs.entries()) {
            expect(Math.abs(resetMs - (expected.resetMs[i] ?? Number.NaN))).toBeLessThan(20 * seconds)
          }
          ;[there, here] = [taken.takenAt, expected.takenAt]
        }
        if (verb === 'return' && here !== 0) {
          inMemory.giveBackNow(`a:${run}`, counters, calls, here)
          await inRedis.giveBack(`a:${run}`, counters, calls, there)
        }
      }
    }),
    { numRuns: 100 },
  )
})
