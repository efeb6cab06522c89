import type { Clock, Timer } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { LimitCounter, LimitStore, Taken } from './limit-store.ts'

export interface SharedStoreOptions {
  readonly store: LimitStore
  readonly maxWaitMs: number
  readonly retryStoreMs: number
  readonly logger: Logger
  readonly clock: Clock
}

interface Ask {
  readonly subject: string
  readonly answer: (taken: Taken | undefined) => void
  timer: Timer | undefined
}

/**
 * The shared store as calls see it: it answers in time or it is away. The first call that fails or waits too long sends
 * it away and lets all go that wait with it; from then on nobody waits, until a probe beside the calls was answered.
 */
export class SharedStore {
  readonly #options: SharedStoreOptions
  readonly #asks = new Set<Ask>()
  #isAnswering = true
  #awaySince = 0

  constructor(options: SharedStoreOptions) {
    this.#options = options
  }

  get isAnswering(): boolean {
    return this.#isAnswering
  }

  /**
   * Never rejects; gives nothing when the store is away, and when `waitMs` are over, which sends it away.
   */
  take(
    subject: string,
    counters: readonly LimitCounter[],
    { calls, spare, waitMs }: { readonly calls: number; readonly spare: number; readonly waitMs: number },
  ): Promise<Taken | undefined> {
    if (!this.#isAnswering) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const ask: Ask = { subject, answer: resolve, timer: undefined }
      ask.timer = this.#options.clock.schedule(waitMs, () => this.#onTime(ask))
      this.#asks.add(ask)
      this.#attempt((store) => store.take(subject, counters, calls, spare)).then(
        (taken) => {
          if (isSound(taken, counters, calls + spare)) this.#settle(ask, taken)
          else this.#fail(ask, new TypeError('The limit store gave something that is no answer'))
        },
        (error: unknown) => this.#fail(ask, error),
      )
    })
  }

  /** Waits for nothing. What does not arrive stays taken, which errs on the strict side. */
  giveBack(subject: string, counters: readonly LimitCounter[], calls: number, takenAt: number): void {
    if (!this.#isAnswering) return
    this.#attempt((store) => store.giveBack(subject, counters, calls, takenAt)).catch(() => {})
  }

  // When this process itself was held up, the answer may lie in the socket: it is read before the store is given up.
  #onTime(ask: Ask): void {
    setImmediate(() => this.#fail(ask, new Error('The limit store did not answer in time')))
  }

  #settle(ask: Ask, taken: Taken | undefined): void {
    if (!this.#asks.delete(ask)) return
    ask.timer?.cancel()
    ask.answer(taken)
  }

  #fail(ask: Ask, error: unknown): void {
    // Given up before: what it says now is old.
    if (!this.#asks.has(ask)) return
    this.#isAnswering = false
    this.#awaySince = this.#options.clock.elapsed()
    for (const each of this.#asks) this.#settle(each, undefined)
    this.#options.logger.warn(
      { err: error },
      'The shared limit store does not answer; this process limits by its own memory until it does',
    )
    this.#probeLater(ask.subject)
  }

  /** Where that subject's counters lie: in a cluster, other nodes say nothing about the one that failed. */
  #probeLater(subject: string): void {
    const { clock, retryStoreMs } = this.#options
    clock.schedule(retryStoreMs, () => void this.#probe(subject))
  }

  async #probe(subject: string): Promise<void> {
    if (!(await this.#answersInTime(subject))) return this.#probeLater(subject)
    this.#isAnswering = true
    const awayMs = Math.round(this.#options.clock.elapsed() - this.#awaySince)
    this.#options.logger.info({ awayMs }, 'The shared limit store answers again')
  }

  #answersInTime(subject: string): Promise<boolean> {
    const { clock, maxWaitMs } = this.#options
    return new Promise((resolve) => {
      const timer = clock.schedule(maxWaitMs, () => setImmediate(resolve, false))
      const settle = (isAnswer: boolean): void => {
        timer.cancel()
        resolve(isAnswer)
      }
      this.#attempt((store) => store.check(subject)).then(
        () => settle(true),
        () => settle(false),
      )
    })
  }

  /** Someone else's store may also throw before there is a promise. */
  async #attempt<T>(use: (store: LimitStore) => Promise<T>): Promise<T> {
    return use(this.#options.store)
  }
}

function isSound(taken: Taken, counters: readonly LimitCounter[], most: number): boolean {
  try {
    const { granted, takenAt, resetMs } = taken
    return (
      Number.isInteger(granted) &&
      granted >= 0 &&
      granted <= most &&
      Number.isFinite(takenAt) &&
      resetMs.length === counters.length &&
      resetMs.every((ms) => Number.isFinite(ms))
    )
  } catch {
    return false
  }
}
