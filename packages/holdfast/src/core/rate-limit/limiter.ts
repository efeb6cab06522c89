import type { Clock } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { LimitStore } from './limit-store.ts'

/**
 * Whom a policy counts: a client address, a principal, or a member of the parsed body such as an e-mail address, which
 * is kept only as a hash, the same for all spellings that differ in case, width or space around.
 */
export type LimitSubject = 'address' | 'principal' | { readonly body: string }

/** How often something may be done. */
export interface LimitPolicy {
  readonly by: LimitSubject
  /** Calls per window, 1–1 000 000. */
  readonly quota: number
  /** Seconds in which the quota is earned back, 1–86 400. */
  readonly windowSeconds: number
  /** Calls that may come at once, 1–1 000 000. Default: the quota. */
  readonly burst?: number
  /**
   * `'failures'` gives a call back when it is not answered with a 4xx: for login, where success costs nothing and many
   * attempts at once can't slip through while the first is still being judged. Default `'calls'`.
   */
  readonly counts?: 'calls' | 'failures'
  /**
   * Asks the store for each call. Default: true for failures and for quotas below one per second; other policies take up
   * to 1024 calls of a busy subject at once, and all processes together admit at most what half a second earns beyond the
   * limit. Policies that are counted together with an exact one, of the same subject on the same route, are exact too.
   */
  readonly exact?: boolean
}

export interface LimiterOptions {
  readonly policies: Readonly<Record<string, LimitPolicy>>
  /** Policies for every request but probes and preflights, also beside the routes. Default: none. */
  readonly everywhere?: readonly string[]
  /** Shared by all processes. Default: the memory of this one. */
  readonly store?: LimitStore
  /**
   * The longest a call waits for the store, 1–5000 ms; up to a quarter more when it shares another call's question.
   * Default 100.
   */
  readonly maxWaitMs?: number
  /** How long a store that failed is left alone before it is tried again, beside the calls, 100–60 000 ms. Default 1000. */
  readonly retryStoreMs?: number
  /**
   * Counters kept in memory for the time without the store, and as many subjects with their denials and leases,
   * 1000–10 000 000. Default 100 000, some 70 MB when all are taken.
   */
  readonly maxKeys?: number
  readonly logger?: Logger
  readonly clock?: Clock
}

/** What a {@link LimitGate} decided. */
export interface LimitDecision {
  readonly isAllowed: boolean
  /** Whole seconds, at least 1; 0 when allowed. */
  readonly retryAfterSeconds: number
  /** Members of the `RateLimit` field, such as `"login";r=3;t=30`. */
  readonly state: string
}

/** Some policies of one subject, made ready at registration. */
export interface LimitGate {
  readonly by: LimitSubject
  /** Members of the `RateLimit-Policy` field, such as `"login";q=10;w=60`. */
  readonly policy: string
  /** Whether {@link settle} has to be told how the call ended. */
  readonly countsFailures: boolean
  /** Counts one call. Without a promise when the answer is known here. Never rejects. */
  take(subject: string): LimitDecision | Promise<LimitDecision>
  /**
   * Tells how a call that was let in ended, so that what does not count is given back. Once per call that was let in,
   * and never for one that was not. Never throws, waits for nothing.
   */
  settle(subject: string, status: number): void
}

export interface Limiter {
  /** Names of the policies for every request. */
  readonly everywhere: readonly string[]
  /**
   * Compiles policies into one gate per subject, in the order address, principal, body.
   * @throws {TypeError} for a name that no policy has
   */
  gates(names: readonly string[]): readonly LimitGate[]
  /** Whether the shared store answers; `false` while this process limits alone, and when there is no store. */
  readonly isShared: boolean
}
