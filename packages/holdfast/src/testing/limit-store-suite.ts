import assert from 'node:assert/strict'
import type { LimitCounter, LimitStore, Taken } from '../core/rate-limit/limit-store.ts'

/** An empty store of its own for one case, and power over its clock. */
export interface LimitStoreUnderTest {
  readonly store: LimitStore
  /** Moves the store's clock by `ms`; below zero, back. */
  readonly advance: (ms: number) => Promise<void> | void
  readonly close?: () => Promise<void> | void
}

export interface LimitStoreCase {
  /** A sentence. */
  readonly name: string
  /** Rejects with what is wrong. */
  readonly run: () => Promise<void>
}

/**
 * What every {@link LimitStore} keeps to, as cases for any test runner:
 * `for (const { name, run } of limitStoreSuite(makeStore)) test(name, run)`.
 *
 * The store's clock may run on its own as well: the cases leave it some seconds.
 */
export function limitStoreSuite(makeStore: () => Promise<LimitStoreUnderTest>): readonly LimitStoreCase[] {
  return Object.entries(cases).map(([name, prove]) => ({
    name,
    async run() {
      const made = await makeStore()
      try {
        await prove(made)
      } finally {
        await made.close?.()
      }
    },
  }))
}

const minute = 60_000
const hour = 60 * minute
const subject = 'a:192.0.2.1'
/** Ten at once, one earned back per minute. */
const ten: LimitCounter = { policy: 'ten', intervalMs: minute, burst: 10 }
const three: LimitCounter = { policy: 'three', intervalMs: minute, burst: 3 }

const cases: Readonly<Record<string, (made: LimitStoreUnderTest) => Promise<void>>> = {
  'a new counter is full, and each call takes one': async ({ store }) => {
    for (let calls = 1; calls <= 10; calls += 1) {
      const taken = await store.take(subject, [ten], 1, 0)
      assert.equal(taken.granted, 1)
      assertReset(taken, calls * minute)
    }
    assert.equal((await store.take(subject, [ten], 1, 0)).granted, 0)
  },

  'a denied call takes nothing, however often it comes': async ({ store, advance }) => {
    await store.take(subject, [three], 3, 0)
    for (let calls = 0; calls < 20; calls += 1) assert.equal((await store.take(subject, [three], 1, 0)).granted, 0)
    await advance(minute)
    assert.equal((await store.take(subject, [three], 1, 0)).granted, 1)
  },

  'a call is earned back after its interval and not before, and never more than the burst': async ({
    store,
    advance,
  }) => {
    await store.take(subject, [three], 3, 0)
    await advance(minute - 10_000)
    assert.equal((await store.take(subject, [three], 1, 0)).granted, 0)
    await advance(10_000)
    assert.equal((await store.take(subject, [three], 9, 0)).granted, 1)
    await advance(hour)
    assert.equal((await store.take(subject, [three], 9, 0)).granted, 3)
  },

  'there is no edge of a window at which two bursts pass': async ({ store, advance }) => {
    let granted = 0
    for (let step = 0; step < 40; step += 1) {
      granted += (await store.take(subject, [ten], 4, 0)).granted
      await advance(15_000)
    }
    // Forty quarters of a minute: the burst and ten that were earned back, give or take the clock's own running.
    assert.ok(granted >= 19 && granted <= 20, `${granted} calls passed`)
  },

  'of several counters all are taken from, or none': async ({ store }) => {
    assert.equal((await store.take(subject, [ten, three], 3, 0)).granted, 3)
    const denied = await store.take(subject, [ten, three], 1, 0)
    assert.equal(denied.granted, 0)
    assertReset(denied, 3 * minute, 3 * minute)
    assert.equal((await store.take(subject, [ten], 10, 0)).granted, 7)
  },

  'as many calls are taken as there are': async ({ store }) => {
    assert.equal((await store.take(subject, [ten], 7, 0)).granted, 7)
    assert.equal((await store.take(subject, [ten], 7, 0)).granted, 3)
  },

  'spare calls are at most an eighth of what is left, and none near the limit': async ({ store }) => {
    const hundred: LimitCounter = { policy: 'hundred', intervalMs: minute, burst: 100 }
    assert.equal((await store.take(subject, [hundred], 1, 64)).granted, 1 + 12)
    assert.equal((await store.take(subject, [hundred], 1, 3)).granted, 1 + 3)
    assert.equal((await store.take(subject, [hundred], 75, 64)).granted, 75 + 1)
    assert.equal((await store.take(subject, [hundred], 1, 64)).granted, 1)
    assert.equal((await store.take(subject, [hundred, three], 1, 64)).granted, 1)
  },

  'subjects and policies have counters of their own': async ({ store }) => {
    await store.take(subject, [three], 3, 0)
    assert.equal((await store.take('a:192.0.2.2', [three], 3, 0)).granted, 3)
    assert.equal((await store.take('p:192.0.2.1', [three], 3, 0)).granted, 3)
    assert.equal((await store.take('a:2001:db8::/64', [three], 3, 0)).granted, 3)
    assert.equal((await store.take(subject, [ten], 10, 0)).granted, 10)
  },

  'what is given back can be taken again': async ({ store }) => {
    const { takenAt } = await store.take(subject, [ten, three], 3, 0)
    await store.giveBack(subject, [three], 2, takenAt)
    assert.equal((await store.take(subject, [three], 3, 0)).granted, 2)
    assert.equal((await store.take(subject, [ten], 10, 0)).granted, 7)
  },

  'giving back never makes a counter fuller than full': async ({ store, advance }) => {
    const { takenAt } = await store.take(subject, [three], 2, 0)
    await store.giveBack(subject, [three], 3, takenAt)
    await store.giveBack(subject, [three], 3, takenAt)
    await store.giveBack('a:192.0.2.9', [three], 3, takenAt)
    assert.equal((await store.take(subject, [three], 9, 0)).granted, 3)
    assert.equal((await store.take('a:192.0.2.9', [three], 9, 0)).granted, 3)
    await advance(hour)
    assert.equal((await store.take(subject, [three], 9, 0)).granted, 3)
  },

  'calls that are held until they were earned back anyway are not given back twice': async ({ store, advance }) => {
    const held = await store.take(subject, [three], 2, 0)
    await advance(2 * minute)
    assert.equal((await store.take(subject, [three], 3, 0)).granted, 3)
    await store.giveBack(subject, [three], 2, held.takenAt)
    assert.equal((await store.take(subject, [three], 1, 0)).granted, 0)
  },

  'a clock that is stepped back an hour locks nobody out for longer than a window': async ({ store, advance }) => {
    const { takenAt } = await store.take(subject, [three], 3, 0)
    await advance(-hour)
    assert.equal((await store.take(subject, [three], 1, 0)).granted, 0)
    await store.giveBack(subject, [three], 1, takenAt)
    await advance(minute + 5000)
    assert.equal((await store.take(subject, [three], 3, 0)).granted, 1)
    await advance(3 * minute)
    assert.equal((await store.take(subject, [three], 9, 0)).granted, 3)
  },

  'a clock that is stepped forward an hour gives one extra burst': async ({ store, advance }) => {
    await store.take(subject, [three], 3, 0)
    await advance(hour)
    assert.equal((await store.take(subject, [three], 9, 0)).granted, 3)
    assert.equal((await store.take(subject, [three], 9, 0)).granted, 0)
  },

  'calls at the same moment never get more than there are': async ({ store }) => {
    const all = await Promise.all(Array.from({ length: 100 }, () => store.take(subject, [ten, three], 1, 5)))
    assert.equal(
      all.reduce((sum, { granted }) => sum + granted, 0),
      3,
    )
  },

  'fractions of a millisecond and long waits keep their digits': async ({ store }) => {
    const fine: LimitCounter = { policy: 'fine', intervalMs: 86_400_000 / 7, burst: 7 }
    const fast: LimitCounter = { policy: 'fast', intervalMs: 1000 / 3, burst: 30 }
    for (let calls = 1; calls <= 7; calls += 1) {
      const taken = await store.take(subject, [fine], 1, 0)
      assert.equal(taken.granted, 1)
      assertReset(taken, calls * fine.intervalMs)
    }
    assert.equal((await store.take(subject, [fine], 1, 0)).granted, 0)
    assert.equal((await store.take(subject, [fast], 30, 0)).granted, 30)
  },

  'the store says that it can be reached': async ({ store }) => {
    await store.check(subject)
    assert.equal((await store.take(subject, [three], 9, 0)).granted, 3)
  },
}

/** A clock that runs on its own takes something off. */
function assertReset(taken: Taken, ...expected: readonly number[]): void {
  assert.equal(taken.resetMs.length, expected.length)
  for (const [i, ms] of taken.resetMs.entries()) {
    const wanted = expected[i]!
    assert.ok(ms <= wanted + 1 && ms > wanted - 5000, `full in ${ms} ms, expected ${wanted}`)
  }
}
