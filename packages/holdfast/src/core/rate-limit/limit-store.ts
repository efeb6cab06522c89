/** A policy as a store needs to know it. With a subject it names one counter. */
export interface LimitCounter {
  /** Name of the policy: at most 32 characters of `[a-z0-9-]`. */
  readonly policy: string
  /** Milliseconds in which one call is earned back: the window divided by the quota. */
  readonly intervalMs: number
  /** Calls that may come at once. */
  readonly burst: number
}

/** What became of a {@link LimitStore.take}. */
export interface Taken {
  /** Calls that were taken, from each counter alike; 0 when any of them had none left. */
  readonly granted: number
  /** When, by the store's own clock, in milliseconds since whenever; {@link LimitStore.giveBack} wants to know. */
  readonly takenAt: number
  /** For each counter, in order: milliseconds until all its calls are there again. */
  readonly resetMs: readonly number[]
}

/**
 * Where counters live: GCRA, one atomic step for all counters of a subject, on the store's own clock. A clock that is
 * stepped costs at most one extra burst or one window. Fill it with {@link createMemoryLimitStore} or
 * `createRedisLimitStore` of `holdfast/redis`; prove one of your own with `limitStoreSuite` of `holdfast/testing`.
 *
 * A subject is 1 to 80 printable characters without braces and never a secret.
 *
 * @see ITU-T I.371, Generic Cell Rate Algorithm
 */
export interface LimitStore {
  /**
   * Takes from all counters or from none: as many of `calls` as there are, and then up to `spare` more, at most an
   * eighth of what is left after them.
   */
  take(subject: string, counters: readonly LimitCounter[], calls: number, spare: number): Promise<Taken>
  /**
   * Returns calls of one take that turned out not to count. Less what was earned back while they were held, so that
   * holding calls for a while never makes more of them; and never makes a counter fuller than full.
   */
  giveBack(subject: string, counters: readonly LimitCounter[], calls: number, takenAt: number): Promise<void>
  /** Resolves when the store can take for this subject, which it proves where the subject's counters lie. */
  check(subject: string): Promise<void>
}
