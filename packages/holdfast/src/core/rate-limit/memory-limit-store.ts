import type { Clock } from '../../foundation/clock.ts'
import { systemClock } from '../../foundation/clock.ts'
import { callsGranted, callsLeft, fullAfterReturn, fullAfterTake, fullAt } from './gcra.ts'
import type { LimitCounter, LimitStore, Taken } from './limit-store.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'

export interface MemoryLimitStoreOptions {
  /** Counters that are kept, 1000–10 000 000; a full counter needs no place. Default 100 000, some 15 MB. */
  readonly maxKeys?: number
  readonly clock?: Clock
}

/** Counters in the memory of this process, which answers at once. */
export interface MemoryLimitStore extends LimitStore {
  /** Counters that are kept right now. */
  readonly size: number
  /** {@link LimitStore.take} without a promise. */
  takeNow(subject: string, counters: readonly LimitCounter[], calls: number, spare: number): Taken
  /** {@link LimitStore.giveBack} without a promise. */
  giveBackNow(subject: string, counters: readonly LimitCounter[], calls: number, takenAt: number): void
}

/**
 * Counts in the memory of this process: for a service that runs in one process, for tests, and for the time a shared
 * store is away.
 *
 * When all places are taken, a counter that is no further from full than the newcomer makes room: what has been used up
 * outlives what has hardly been touched. To be rid of a used-up counter an attacker has to use up some `maxKeys` others
 * as far: ten attempts more cost him a million calls from 100 000 addresses, which could have made those attempts.
 *
 * @throws {RangeError} for `maxKeys` out of bounds
 */
export function createMemoryLimitStore(options: MemoryLimitStoreOptions = {}): MemoryLimitStore {
  const clock = options.clock ?? systemClock
  const counts = new BoundedCounts(wholeNumber('maxKeys', options.maxKeys ?? 100_000, 1000, 10_000_000))

  function takeNow(subject: string, counters: readonly LimitCounter[], calls: number, spare: number): Taken {
    const now = clock.elapsed()
    const keys: string[] = []
    const full: number[] = []
    let left = Infinity
    for (const counter of counters) {
      const key = keyOf(subject, counter)
      const at = fullAt(counter, counts.get(key), now)
      keys.push(key)
      full.push(at)
      left = Math.min(left, callsLeft(counter, at - now))
    }
    const granted = callsGranted(left, calls, spare)
    for (const [i, counter] of counters.entries()) {
      const after = fullAfterTake(counter, full[i]!, granted)
      full[i] = after
      if (after > now) counts.set(keys[i]!, after)
    }
    return { granted, takenAt: now, resetMs: full.map((at) => at - now) }
  }

  function giveBackNow(subject: string, counters: readonly LimitCounter[], calls: number, takenAt: number): void {
    const now = clock.elapsed()
    for (const counter of counters) {
      const key = keyOf(subject, counter)
      const full = fullAfterReturn(counter, fullAt(counter, counts.get(key), now), calls, now - takenAt)
      if (full > now) counts.set(key, full)
      else counts.delete(key)
    }
  }

  return {
    get size() {
      return counts.size
    },
    takeNow,
    giveBackNow,
    take: async (...asked) => takeNow(...asked),
    giveBack: async (...returned) => giveBackNow(...returned),
    check: () => Promise.resolve(),
  }
}

// No policy has a space in its name.
const keyOf = (subject: string, { policy }: LimitCounter): string => `${policy} ${subject}`

const mostLooks = 4096

/** When each counter is full again, for a bounded number of counters. */
class BoundedCounts {
  readonly #counters = new Map<string, number>()
  readonly #maxKeys: number
  // Goes round and round; a Map's iterator follows what is added and deleted meanwhile.
  #hand: MapIterator<[string, number]> = this.#counters.entries()
  /** Each newcomer earns eight, most use one: so there are enough to get past a row of counters that are used up. */
  #looks = mostLooks

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#counters.size
  }

  get(key: string): number | undefined {
    return this.#counters.get(key)
  }

  set(key: string, full: number): void {
    if (this.#counters.size >= this.#maxKeys && !this.#counters.has(key)) this.#makeRoom(full)
    this.#counters.set(key, full)
  }

  delete(key: string): void {
    this.#counters.delete(key)
  }

  /** The next one that is no further from full than the newcomer, or of all that may be looked at the nearest. */
  #makeRoom(newcomer: number): void {
    this.#looks = Math.min(this.#looks + 8, mostLooks)
    let nearest = ''
    let soonest = Infinity
    do {
      const [key, full] = this.#next()
      if (full < soonest) [nearest, soonest] = [key, full]
      this.#looks -= 1
    } while (soonest > newcomer && this.#looks > 0)
    this.#counters.delete(nearest)
  }

  #next(): [string, number] {
    let step = this.#hand.next()
    if (step.done) {
      this.#hand = this.#counters.entries()
      step = this.#hand.next()
    }
    return step.value!
  }
}
