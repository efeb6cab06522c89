/** One policy, asked about one subject. */
export interface Take {
  /** Name of the policy; with the subject it names the counter. */
  readonly policy: string
  /** Milliseconds in which one call is earned back: the window divided by the quota. */
  readonly intervalMs: number
  /** Calls that may come at once. */
  readonly burst: number
  /** The most calls to take; fewer are given near the limit, and at least one when allowed. 1 is exact. */
  readonly atMost: number
}

/** What became of a {@link Take}. */
export interface Taken {
  /** Calls that were taken; 0 when any of the takes was denied. */
  readonly granted: number
  /** Whole calls that are left now. */
  readonly remaining: number
  /** Milliseconds until one call is there again; 0 when there is one. */
  readonly retryAfterMs: number
  /** Milliseconds until all calls are there again. */
  readonly resetMs: number
}

/**
 * Where counters live: GCRA, one atomic step for all policies of a subject, on the store's own time.
 * Fill it with {@link createMemoryLimitStore} or `createRedisLimitStore` of `holdfast/redis`; prove an own one with
 * `limitStoreSuite` of `holdfast/testing`.
 *
 * @see ITU-T I.371, Generic Cell Rate Algorithm
 */
export interface LimitStore {
  /** Takes from all or from none. `subject` is bounded in length and never a secret. */
  take(subject: string, takes: readonly Take[]): Promise<readonly Taken[]>
  /** Returns calls that turned out not to count; never makes a counter fuller than full. */
  giveBack(subject: string, takes: readonly (Omit<Take, 'atMost'> & { readonly calls: number })[]): Promise<void>
  /** Resolves when the store can be reached. */
  check(): Promise<void>
}
