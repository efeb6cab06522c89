import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createManualClock } from '../../testing/manual-clock.ts'
import { createLimiter } from './create-limiter.ts'
import type { LimitPolicy } from './limiter.ts'
import { createMemoryLimitStore } from './memory-limit-store.ts'

// The promise that is hardest to keep: whatever the processes do, together they admit no more than the limit.

const leaseSeconds = 0.5

const policies = fc.record({
  by: fc.constant('address' as const),
  quota: fc.integer({ min: 60, max: 6000 }),
  windowSeconds: fc.constant(60),
  burst: fc.integer({ min: 1, max: 600 }),
  exact: fc.boolean(),
})

const steps = fc.array(
  fc.record({
    process: fc.nat({ max: 3 }),
    // Rests long enough that leases end and counters fill, and short ones that are over before that.
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 }), fc.integer({ min: 300, max: 5000 })),
    calls: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 60, max: 200 }), fc.constant(600)),
    // One after the other is how leases grow.
    together: fc.boolean(),
    names: fc.constantFrom<readonly string[]>(['one'], ['one', 'other']),
  }),
  { minLength: 5, maxLength: 30 },
)

type Steps = typeof steps extends fc.Arbitrary<infer Value> ? Value : never

/** When each call was admitted, in order. */
async function admissions(one: LimitPolicy, other: LimitPolicy, asked: Steps): Promise<number[]> {
  const clock = createManualClock()
  const store = createMemoryLimitStore({ clock })
  const limiters = Array.from({ length: 4 }, () => createLimiter({ policies: { one, other }, store, clock }))
  const admitted: number[] = []
  for (const { process, waitMs, calls, together, names } of asked) {
    await clock.advanceAsync(waitMs)
    const gate = limiters[process]!.gates(names)[0]!
    const take = async (): Promise<void> => {
      const { isAllowed } = await gate.take('192.0.2.1')
      if (isAllowed) admitted.push(clock.elapsed())
    }
    if (together) await Promise.all(Array.from({ length: calls }, take))
    else for (let call = 0; call < calls; call += 1) await take()
  }
  return admitted
}

/** Of all windows, the most calls beyond what its length earned. */
function mostBeyondEarned(times: readonly number[], perMs: number): number {
  let most = 0
  let best = -Infinity
  for (const [index, at] of times.entries()) {
    best = Math.max(best, perMs * at - index)
    most = Math.max(most, index + 1 - perMs * at + best)
  }
  return most
}

const busy = { by: 'address' as const, quota: 6000, windowSeconds: 60, burst: 600, exact: false }
const names = ['one']

/** A lease is left lying until its counter is full again; if it could still be used, it would come on top. */
const heldForLong: [typeof busy, typeof busy, Steps] = [
  busy,
  busy,
  [
    { process: 0, waitMs: 0, calls: 130, together: false, names },
    { process: 1, waitMs: 4900, calls: 600, together: true, names },
    { process: 0, waitMs: 0, calls: 600, together: true, names },
  ],
]

test('given four processes that share a store, no window of any length admits more than it may', async () => {
  await fc.assert(
    fc.asyncProperty(policies, policies, steps, async (one, other, asked) => {
      const times = await admissions(one, other, asked)
      const perMs = one.quota / one.windowSeconds / 1000
      const onTop = one.exact ? 0 : perMs * 1000 * leaseSeconds
      expect(mostBeyondEarned(times, perMs)).toBeLessThanOrEqual(one.burst + onTop + 0.01)
    }),
    { numRuns: 150, examples: [heldForLong] },
  )
})
