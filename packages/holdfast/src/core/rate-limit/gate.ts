import type { Clock } from '../../foundation/clock.ts'
import { allowance, denialOf } from './gate-fields.ts'
import { type Held, KnownSubject } from './known-subject.ts'
import type { Taken } from './limit-store.ts'
import type { LimitDecision, LimitGate, LimitSubject } from './limiter.ts'
import type { MemoryLimitStore } from './memory-limit-store.ts'
import type { PreparedPolicy } from './policies.ts'
import type { Room, Shelf } from './room.ts'
import type { SharedStore } from './shared-store.ts'
import { toKey, toPrefix } from './subject.ts'

/** What all gates of a limiter stand on. */
export interface GateGround {
  readonly shared: SharedStore | undefined
  readonly memory: MemoryLimitStore
  readonly room: Room
  readonly clock: Clock
  readonly maxWaitMs: number
}

/** How long calls that were taken at once may be used. Together the processes admit at most what this earns on top. */
const leaseMs = 500
const largestLease = 1024

/** A denial is believed for so long before the store is asked again, which may have been told otherwise meanwhile. */
const longestDenialMs = 60_000
/** Shorter where calls are given back by other processes. */
const longestDenialOfFailuresMs = 1000

/** Calls of one subject whose end is awaited; beyond that the oldest are taken for failures. */
const mostHeld = 1000

export class Gate implements LimitGate {
  readonly by: LimitSubject
  readonly policy: string
  readonly countsFailures: boolean
  readonly #policies: readonly PreparedPolicy[]
  readonly #refundable: readonly PreparedPolicy[]
  readonly #isExact: boolean
  readonly #prefix: string
  readonly #ground: GateGround
  readonly #clock: Clock
  readonly #known: Shelf<KnownSubject>
  /** Those with an open lease, the one that ends first in front. */
  readonly #leased = new Set<KnownSubject>()
  #isSweepPlanned = false

  constructor(by: LimitSubject, policies: readonly PreparedPolicy[], ground: GateGround) {
    this.by = by
    this.policy = policies.map(({ field }) => field).join(', ')
    this.#policies = policies
    this.#refundable = policies.filter(({ countsFailures }) => countsFailures)
    this.countsFailures = this.#refundable.length > 0
    this.#isExact = policies.some(({ isExact }) => isExact)
    this.#prefix = toPrefix(by)
    this.#ground = ground
    this.#clock = ground.clock
    this.#known = ground.room.shelf((known) => this.#endLease(known))
  }

  take(subject: string): LimitDecision | Promise<LimitDecision> {
    const key = toKey(this.by, subject)
    const now = this.#clock.elapsed()
    const known = this.#known.get(key)
    if (known !== undefined) {
      if (now < known.deniedUntil) return this.#denyAgain(known, now)
      const { lease } = known
      if (lease !== undefined && lease.left > 0 && now < lease.until) {
        lease.left -= 1
        return allowance(this.#policies, known.fullAt, now, lease.left)
      }
    }
    const { shared } = this.#ground
    if (shared === undefined || !shared.isAnswering) return this.#countHere(key, now)
    return this.#isExact ? this.#countThere(shared, key, now) : this.#waitForLease(shared, key, now)
  }

  settle(subject: string, status: number): void {
    if (!this.countsFailures) return
    const key = toKey(this.by, subject)
    const known = this.#known.get(key)
    // Any of those held will do: what matters is for how long they were held together.
    const held = known?.held.shift()
    if (known === undefined || held === undefined || (status >= 400 && status < 500)) return
    const { memory, shared } = this.#ground
    if (held.isShared) shared?.giveBack(this.#prefix + key, this.#refundable, 1, held.takenAt)
    else memory.giveBackNow(this.#prefix + key, this.#refundable, 1, held.takenAt)
    known.deniedUntil = -Infinity
  }

  #denyAgain(known: KnownSubject, now: number): LimitDecision {
    if (known.denial !== undefined && now < known.denialUntil) return known.denial
    const { decision, rightForMs } = denialOf(this.#policies, known.fullAt, now)
    known.denial = decision
    known.denialUntil = now + rightForMs
    return decision
  }

  #countHere(key: string, now: number): LimitDecision {
    const taken = this.#ground.memory.takeNow(this.#prefix + key, this.#policies, 1, 0)
    return this.#heed(key, taken, { isShared: false, sentAt: now, now })
  }

  async #countThere(shared: SharedStore, key: string, sentAt: number): Promise<LimitDecision> {
    const wanted = { calls: 1, spare: 0, waitMs: this.#ground.maxWaitMs }
    const taken = await shared.take(this.#prefix + key, this.#policies, wanted)
    const now = this.#clock.elapsed()
    return taken === undefined ? this.#countHere(key, now) : this.#heed(key, taken, { isShared: true, sentAt, now })
  }

  #heed(
    key: string,
    taken: Taken,
    { isShared, sentAt, now }: { readonly isShared: boolean; readonly sentAt: number; readonly now: number },
  ): LimitDecision {
    const fullAt = taken.resetMs.map((ms) => now + ms)
    if (taken.granted === 0) return this.#deny(this.#know(key), fullAt, sentAt, now)
    if (this.countsFailures) this.#hold(key, { isShared, takenAt: taken.takenAt })
    return allowance(this.#policies, fullAt, now, 0)
  }

  /** From `sentAt`, so that it never outlives the store's own denial; what the client is told counts from `now`. */
  #deny(known: KnownSubject, fullAt: readonly number[], sentAt: number, now: number): LimitDecision {
    const { decision, waitMs, rightForMs } = denialOf(this.#policies, fullAt, now)
    known.fullAt = fullAt
    known.denial = decision
    known.denialUntil = now + rightForMs
    known.deniedUntil = sentAt + Math.min(waitMs, this.countsFailures ? longestDenialOfFailuresMs : longestDenialMs)
    return decision
  }

  #hold(key: string, call: Held): void {
    const { held } = this.#know(key)
    held.push(call)
    if (held.length > mostHeld) held.shift()
  }

  #know(key: string): KnownSubject {
    const known = this.#known.get(key) ?? new KnownSubject(key)
    this.#known.put(key, known)
    return known
  }

  /** The calls of one subject share one question to the store: those that come meanwhile are in the next one. */
  #waitForLease(shared: SharedStore, key: string, since: number): Promise<LimitDecision> {
    const known = this.#know(key)
    return new Promise((decide) => {
      known.waiting.push({ since, decide })
      if (!known.isAsking) void this.#ask(shared, known)
    })
  }

  async #ask(shared: SharedStore, known: KnownSubject): Promise<void> {
    known.isAsking = true
    for (let [oldest] = known.waiting; oldest !== undefined; [oldest] = known.waiting) {
      const sentAt = this.#clock.elapsed()
      this.#growLease(known, sentAt)
      const calls = known.waiting.length
      const spare = Math.max(0, known.leaseSize - calls)
      const waitMs = this.#waitLeft(sentAt - oldest.since)
      const taken = await shared.take(this.#prefix + known.key, this.#policies, { calls, spare, waitMs })
      if (taken === undefined) this.#serveFromMemory(known)
      else this.#serve(known, taken, calls, sentAt)
    }
    known.isAsking = false
  }

  /** Never nothing, or a process that was held up itself would take the store for one that does not answer. */
  #waitLeft(waitedMs: number): number {
    const { maxWaitMs } = this.#ground
    return Math.max(maxWaitMs / 4, maxWaitMs - waitedMs)
  }

  /** Twice as many after a lease that was used up before its end; else from one again. */
  #growLease(known: KnownSubject, now: number): void {
    const wasUsedUp = known.lease?.left === 0 && now < known.lease.until
    known.leaseSize = wasUsedUp ? Math.min(largestLease, known.leaseSize * 2) : 1
    this.#endLease(known)
  }

  #serve(known: KnownSubject, taken: Taken, calls: number, sentAt: number): void {
    const now = this.#clock.elapsed()
    const fullAt = taken.resetMs.map((ms) => now + ms)
    const lease = { left: taken.granted, until: sentAt + leaseMs, takenAt: taken.takenAt }
    known.fullAt = fullAt
    known.lease = lease
    for (const { decide } of known.waiting.splice(0, taken.granted)) {
      lease.left -= 1
      decide(allowance(this.#policies, fullAt, now, lease.left))
    }
    if (lease.left > 0) this.#keepLease(known)
    if (taken.granted >= calls) return
    // There are no more, also for those who came meanwhile.
    const denial = this.#deny(known, fullAt, sentAt, now)
    for (const { decide } of known.waiting.splice(0)) decide(denial)
  }

  #serveFromMemory(known: KnownSubject): void {
    const now = this.#clock.elapsed()
    for (const { decide } of known.waiting.splice(0)) decide(this.#countHere(known.key, now))
  }

  #keepLease(known: KnownSubject): void {
    this.#leased.delete(known)
    this.#leased.add(known)
    this.#sweepIn(leaseMs)
  }

  #sweepIn(ms: number): void {
    if (this.#isSweepPlanned) return
    this.#isSweepPlanned = true
    this.#clock.schedule(ms, () => {
      this.#isSweepPlanned = false
      this.#endLeases(this.#clock.elapsed())
    })
  }

  #endLeases(now: number): void {
    for (const known of this.#leased) {
      const until = known.lease?.until ?? now
      if (until > now) return this.#sweepIn(until - now)
      this.#endLease(known)
    }
  }

  /** What was not used is given back. */
  #endLease(known: KnownSubject): void {
    this.#leased.delete(known)
    const { lease } = known
    if (lease === undefined || lease.left === 0) return
    this.#ground.shared?.giveBack(this.#prefix + known.key, this.#policies, lease.left, lease.takenAt)
    lease.left = 0
  }
}
