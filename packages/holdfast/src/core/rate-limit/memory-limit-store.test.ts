import { describe, expect, test } from 'vitest'
import { createManualClock } from '../../testing/manual-clock.ts'
import type { LimitCounter } from './limit-store.ts'
import { createMemoryLimitStore, type MemoryLimitStore } from './memory-limit-store.ts'

const ten: LimitCounter = { policy: 'ten', intervalMs: 60_000, burst: 10 }

function useUp(store: MemoryLimitStore, subject: string): number {
  return store.takeNow(subject, [ten], 10, 0).granted
}

describe('given a store of ten thousand counters', () => {
  const maxKeys = 10_000

  test('when a million subjects come, it keeps ten thousand', () => {
    const store = createMemoryLimitStore({ maxKeys, clock: createManualClock() })
    for (let key = 0; key < 1_000_000; key += 1) store.takeNow(`a:${key}`, [ten], 1, 0)

    expect(store.size).toBe(maxKeys)
  })

  test('when a million subjects come with one call each, who was used up before stays used up', () => {
    const store = createMemoryLimitStore({ maxKeys, clock: createManualClock() })
    for (let key = 0; key < 1000; key += 1) useUp(store, `a:guesser-${key}`)
    for (let key = 0; key < 1_000_000; key += 1) store.takeNow(`a:${key}`, [ten], 1, 0)

    const reset = Array.from({ length: 1000 }, (_, key) => useUp(store, `a:guesser-${key}`)).filter((got) => got > 0)
    expect(reset.length).toBe(0)
  })

  test('when an attacker pays for a reset, it costs the burst of thousands of subjects', () => {
    const store = createMemoryLimitStore({ maxKeys, clock: createManualClock() })
    useUp(store, 'a:guesser')
    let spent = 0
    while (useUp(store, 'a:guesser') === 0) spent += useUp(store, `a:${spent}`)

    expect(spent).toBeGreaterThanOrEqual(10 * maxKeys)
  })

  test('when counters are full again, they make room first', () => {
    const clock = createManualClock()
    const store = createMemoryLimitStore({ maxKeys, clock })
    for (let key = 0; key < maxKeys; key += 1) store.takeNow(`a:old-${key}`, [ten], 1, 0)
    clock.advance(60_000)
    for (let key = 0; key < maxKeys; key += 1) useUp(store, `a:new-${key}`)

    const forgotten = Array.from({ length: maxKeys }, (_, key) => useUp(store, `a:new-${key}`)).filter((got) => got > 0)
    expect(forgotten.length).toBe(0)
    expect(store.size).toBe(maxKeys)
  })

  test('when calls are given back until a counter is full, it needs no place', () => {
    const store = createMemoryLimitStore({ maxKeys, clock: createManualClock() })
    const { takenAt } = store.takeNow('a:one', [ten], 4, 0)
    store.giveBackNow('a:one', [ten], 4, takenAt)

    expect(store.size).toBe(0)
  })
})

test.each([0, 999, 1000.5, 10_000_001, Number.NaN])('given %s keys, the store is refused', (maxKeys) => {
  expect(() => createMemoryLimitStore({ maxKeys })).toThrow(/^maxKeys is .*; it must be a whole number from 1000 to/)
})
