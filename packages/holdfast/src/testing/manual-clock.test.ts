import { describe, expect, test } from 'vitest'
import { createManualClock } from './manual-clock.ts'

describe('given a manual clock with timers', () => {
  test('when it moves, due timers fire in order of their time, each at its own moment', () => {
    const clock = createManualClock({ now: 1_000 })
    const seen: [string, number][] = []
    clock.schedule(30, () => seen.push(['late', clock.now()]))
    clock.schedule(10, () => seen.push(['early', clock.now()]))
    clock.schedule(10, () => seen.push(['early, second', clock.now()]))
    clock.schedule(50, () => seen.push(['not yet', clock.now()]))
    clock.advance(40)
    expect(seen).toEqual([
      ['early', 1_010],
      ['early, second', 1_010],
      ['late', 1_030],
    ])
    expect(clock.elapsed()).toBe(40)
    expect(clock.pending).toBe(1)
  })

  test('when a callback sets another timer within the move, it fires too', () => {
    const clock = createManualClock()
    const seen: number[] = []
    clock.schedule(10, () => clock.schedule(10, () => seen.push(clock.elapsed())))
    clock.advance(20)
    expect(seen).toEqual([20])
  })

  test('when a timer is cancelled, it never fires', () => {
    const clock = createManualClock()
    let fired = false
    const timer = clock.schedule(10, () => (fired = true))
    timer.cancel()
    clock.advance(100)
    expect(fired).toBe(false)
    expect(clock.pending).toBe(0)
  })

  test('when a promise chain sets the next timer, advanceAsync reaches it in one move', async () => {
    const clock = createManualClock()
    const wait = (ms: number): Promise<void> => new Promise((resolve) => void clock.schedule(ms, resolve))
    let done = false
    void (async () => {
      await wait(10)
      await wait(10)
      done = true
    })()
    await clock.advanceAsync(20)
    expect(done).toBe(true)
  })

  test.each([-1, Number.NaN, Infinity])('when told to move by %s, it refuses', (ms) => {
    expect(() => createManualClock().advance(ms)).toThrow(RangeError)
  })
})
