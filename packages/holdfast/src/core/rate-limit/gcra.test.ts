import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { callsGranted, callsLeft, fullAfterReturn, fullAfterTake, fullAt, msToNextCall } from './gcra.ts'
import type { LimitCounter } from './limit-store.ts'

const counters = fc.record({
  policy: fc.constant('any'),
  intervalMs: fc.double({ min: 1, max: 100_000, noNaN: true }),
  burst: fc.integer({ min: 1, max: 500 }),
})

interface Admitted {
  readonly at: number
  readonly calls: number
}

/** Takes as a store does. */
function takeAll(
  counter: LimitCounter,
  attempts: readonly { readonly waitShare: number; readonly calls: number; readonly spare: number }[],
): readonly Admitted[] {
  let now = 1e9
  let stored: number | undefined
  return attempts.map(({ waitShare, calls, spare }) => {
    now += waitShare * counter.intervalMs
    const full = fullAt(counter, stored, now)
    const granted = callsGranted(callsLeft(counter, full - now), calls, spare)
    stored = fullAfterTake(counter, full, granted)
    return { at: now, calls: granted }
  })
}

const attempts = fc.array(
  fc.record({
    waitShare: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3, noNaN: true })),
    calls: fc.integer({ min: 1, max: 20 }),
    spare: fc.integer({ min: 0, max: 64 }),
  }),
  { maxLength: 200 },
)

test('given any calls at any times, no window admits more than the burst and what it earned', () => {
  fc.assert(
    fc.property(counters, attempts, (counter, asked) => {
      const admitted = takeAll(counter, asked)
      for (const [first, from] of admitted.entries()) {
        let sum = 0
        for (const to of admitted.slice(first)) {
          sum += to.calls
          expect(sum).toBeLessThanOrEqual(counter.burst + (to.at - from.at) / counter.intervalMs + 0.002)
        }
      }
    }),
  )
})

test('given any counter, its whole burst comes at one moment, whatever fractions it is made of', () => {
  fc.assert(
    fc.property(counters, ({ burst, ...rest }) => {
      const one = { waitShare: 0, calls: 1, spare: 0 }
      const admitted = takeAll(
        { burst, ...rest },
        Array.from({ length: burst + 3 }, () => one),
      )
      expect(admitted.reduce((sum, { calls }) => sum + calls, 0)).toBe(burst)
    }),
  )
})

test('given any state, a call passes after the wait that was told and not well before', () => {
  fc.assert(
    fc.property(counters, fc.double({ min: 0, max: 1, noNaN: true }), (counter, share) => {
      const resetMs = share * counter.burst * counter.intervalMs
      const ms = msToNextCall(counter, resetMs)
      expect(callsLeft(counter, Math.max(0, resetMs - ms - 1e-6 * counter.intervalMs))).toBeGreaterThanOrEqual(1)
      const early = resetMs - ms + counter.intervalMs * 0.01
      if (ms > counter.intervalMs * 0.01) expect(callsLeft(counter, early)).toBe(0)
    }),
  )
})

describe('given a counter of three, one earned back per minute', () => {
  const three: LimitCounter = { policy: 'three', intervalMs: 60_000, burst: 3 }

  test.each([Number.NaN, Infinity, 1e300, 3_600_000])('when %s is stored, it is at most empty', (stored) => {
    const full = fullAt(three, stored, 0)

    expect(msToNextCall(three, full)).toBeLessThanOrEqual(60_001)
  })

  test('when the same clamp comes again and again, it earns nothing', () => {
    const once = fullAt(three, 1e12, 0)

    expect(fullAt(three, once, 0)).toBe(once)
  })

  test('when calls are given back at once, they are there again; later, less what was earned meanwhile', () => {
    expect(fullAfterReturn(three, 180_000, 2, 0)).toBe(60_000)
    expect(fullAfterReturn(three, 180_000, 2, 30_000)).toBe(90_000)
    expect(fullAfterReturn(three, 180_000, 2, 999_999)).toBe(180_000)
  })

  test('when the clock was stepped back since they were taken, nothing is given back', () => {
    expect(fullAfterReturn(three, 180_000, 2, -1)).toBe(180_000)
  })
})
