import { setTimeout as delay } from 'node:timers/promises'
import type { LimitDecision, Limiter, LimitGate } from '../../src/core/rate-limit/limiter.ts'

export interface Outcome {
  readonly calls: number
  readonly admitted: number
  /** Rejected promises and exceptions; there should never be one. */
  readonly failed: number
  /** Milliseconds of those that waited longer than `longerThanMs`. */
  readonly waits: readonly number[]
  /** Milliseconds from the first call to the last answer. */
  readonly tookMs: number
}

/** The one gate at which calls meet these policies, which count by the same subject. */
export function gateOf(limiter: Limiter, ...names: readonly string[]): LimitGate {
  const [gate, ...others] = limiter.gates(names)
  if (gate === undefined || others.length > 0) throw new Error(`${names.join(', ')} have not one gate`)
  return gate
}

/** Calls as clients make them: whatever becomes of one, the others go on. */
export class Load {
  readonly #longerThanMs: number
  readonly #since = performance.now()
  #calls = 0
  #admitted = 0
  #failed = 0
  readonly #waits: number[] = []
  readonly #open = new Set<Promise<void>>()

  constructor(longerThanMs = 50) {
    this.#longerThanMs = longerThanMs
  }

  call(gate: LimitGate, subject: string): void {
    this.#calls += 1
    const from = performance.now()
    try {
      const decision = gate.take(subject)
      if (decision instanceof Promise) this.#follow(decision, from)
      else this.#note(decision)
    } catch {
      this.#failed += 1
    }
  }

  /** So many calls at once every 5 ms for a while, spread over the subjects. */
  async keepUp(gate: LimitGate, subjects: readonly string[], options: { calls: number; ms: number }): Promise<void> {
    for (const endsAt = performance.now() + options.ms; performance.now() < endsAt; await delay(5)) {
      for (let call = 0; call < options.calls; call += 1) this.call(gate, subjects[this.#calls % subjects.length] ?? '')
    }
  }

  async outcome(): Promise<Outcome> {
    await Promise.all(this.#open)
    const tookMs = performance.now() - this.#since
    return { calls: this.#calls, admitted: this.#admitted, failed: this.#failed, waits: this.#waits, tookMs }
  }

  #follow(decision: Promise<LimitDecision>, from: number): void {
    const followed = decision
      .then(
        (decided) => this.#note(decided),
        () => void (this.#failed += 1),
      )
      .finally(() => {
        this.#open.delete(followed)
        const ms = performance.now() - from
        if (ms > this.#longerThanMs) this.#waits.push(ms)
      })
    this.#open.add(followed)
  }

  #note({ isAllowed }: LimitDecision): void {
    if (isAllowed) this.#admitted += 1
  }
}
