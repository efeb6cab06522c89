import type { LimitDecision } from './limiter.ts'

/** Calls that were taken from the store at once and not all used yet. */
export interface Lease {
  left: number
  /** By the clock of this process, from before the store was asked. */
  readonly until: number
  /** By the clock of the store. */
  readonly takenAt: number
}

/** A call that was taken from the store, or from memory, and whose end is not known yet. */
export interface Held {
  readonly isShared: boolean
  readonly takenAt: number
}

export interface Waiting {
  readonly since: number
  readonly decide: (decision: LimitDecision) => void
}

/** What a gate remembers of one subject. Times are those of this process' `clock.elapsed()`. */
export class KnownSubject {
  readonly key: string
  /** For each policy, when it is full again, had all calls of the lease been used. */
  fullAt: readonly number[] = []
  lease: Lease | undefined = undefined
  /** Calls the last lease took, used or not. */
  leaseSize = 0
  /** Until then a call is one too many. */
  deniedUntil: number = -Infinity
  /** The answer to give meanwhile, which holds for as long as its whole seconds do. */
  denial: LimitDecision | undefined = undefined
  denialUntil: number = -Infinity
  isAsking = false
  readonly waiting: Waiting[] = []
  readonly held: Held[] = []

  constructor(key: string) {
    this.key = key
  }
}
