import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedRedis, startEmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import type { LimitPolicy } from '../../src/core/rate-limit/limiter.ts'
import type { Order } from './limiter.child.ts'
import type { Outcome } from './load.ts'

const policies = {
  login: { by: 'address', quota: 50, windowSeconds: 60 },
  failures: { by: 'address', quota: 10, windowSeconds: 60, counts: 'failures' },
  leased: { by: 'address', quota: 6000, windowSeconds: 60, burst: 200 },
} satisfies Record<string, LimitPolicy>

let server: EmbeddedRedis
let children: readonly ChildProcess[]

beforeAll(async () => {
  const started = await startEmbeddedRedis()
  if (started === undefined) throw new Error('There is no redis-server on PATH')
  server = started
  const file = fileURLToPath(new URL('limiter.child.ts', import.meta.url))
  children = [1, 2].map(() => fork(file, [server.url, JSON.stringify(policies)], { execArgv: [] }))
  await Promise.all(children.map((child) => once(child, 'message')))
})

afterAll(async () => {
  await Promise.all((children ?? []).map((child) => (child.kill('SIGKILL'), once(child, 'exit'))))
  await server?.stop()
})

/** The same order to both at the same moment. */
async function both(order: Omit<Order, 'more' | 'ms'> & Partial<Order>): Promise<readonly Outcome[]> {
  return Promise.all(
    children.map(async (child) => {
      child.send({ more: 0, ms: 0, ...order })
      const [outcome] = (await once(child, 'message')) as [Outcome & { readonly isShared: boolean }]
      expect(outcome.isShared).toBe(true)
      expect(outcome.failed).toBe(0)
      return outcome
    }),
  )
}

/** What both admitted, and the most they may in the time they took, with what a lease may shift. */
function total(
  outcomes: readonly Outcome[],
  { quota, windowSeconds, burst = quota }: LimitPolicy,
  leaseSeconds: number,
) {
  const admitted = outcomes.reduce((sum, outcome) => sum + outcome.admitted, 0)
  const calls = outcomes.reduce((sum, outcome) => sum + outcome.calls, 0)
  const seconds = Math.max(...outcomes.map(({ tookMs }) => tookMs)) / 1000 + 0.05
  const most = Math.floor(burst + (quota / windowSeconds) * (seconds + leaseSeconds) + 1)
  console.log(`${admitted} of ${calls} calls in ${seconds.toFixed(2)} s from two processes; at most ${most} may pass`)
  return { admitted, most }
}

describe('given two processes that share a Redis', () => {
  test('when 200 calls come at once over a limit of 50, 50 pass', async () => {
    const { admitted, most } = total(
      await both({ names: ['login'], subject: '192.0.2.1', calls: 100 }),
      policies.login,
      0,
    )

    expect(admitted).toBeGreaterThanOrEqual(50)
    expect(admitted).toBeLessThanOrEqual(most)
  })

  test('when 200 guesses come at once before any is judged, 10 pass', async () => {
    const outcomes = await both({ names: ['failures'], subject: '192.0.2.2', calls: 100 })
    const { admitted, most } = total(outcomes, policies.failures, 0)

    expect(admitted).toBeGreaterThanOrEqual(10)
    expect(admitted).toBeLessThanOrEqual(most)
  })

  test('when both flood a policy that is leased for two seconds, they pass no more than the limit together', async () => {
    const order = { names: ['leased'], subject: '192.0.2.3', calls: 300, more: 20, ms: 2000 }
    const { admitted, most } = total(await both(order), policies.leased, 0.5)

    expect(admitted).toBeGreaterThanOrEqual(200 + 150)
    expect(admitted).toBeLessThanOrEqual(most)
  })
})
