import type { Clock } from './clock.ts'

export interface PermitsOptions {
  /** How many may be out at once. */
  readonly maxTaken: number
  /** How many may wait for one; the next is refused at once. */
  readonly maxWaiting: number
  /** What is thrown to whoever finds the queue full, or has waited for `waitMs`. */
  readonly refusal: () => Error
  /** Milliseconds that somebody waits, at most. Default: as long as it takes */
  readonly waitMs?: number
  /** Measures `waitMs`. */
  readonly clock?: Clock
  /** While it says so, none is given out; call {@link Permits.wake} when that is over. Default: never */
  readonly isHeld?: () => boolean
  /** Told when nobody waits any more, for whatever reason. */
  readonly onDrained?: () => void
}

/** Lets a bounded number go on, a bounded number wait in the order they came, and turns the rest away at once. */
export class Permits {
  readonly #options: PermitsOptions
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(options: PermitsOptions) {
    this.#options = options
  }

  get taken(): number {
    return this.#taken
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * @param signal - whoever waits leaves the queue when it aborts; a job that runs is not stopped
   * @throws what `refusal` makes, or the reason of `signal`
   */
  async run<Result>(job: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    await this.take(signal)
    try {
      return await job()
    } finally {
      this.release()
    }
  }

  /**
   * Resolves when the caller holds a permit, which it has to {@link release}.
   *
   * @throws what `refusal` makes, or the reason of `signal`
   */
  async take(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#isFree() && this.#waiting.size === 0) this.#taken++
    else await this.#wait(signal)
  }

  // The permit goes from hand to hand: were it put down first, a newcomer could take it before whoever waits.
  release(): void {
    this.#taken--
    this.wake()
  }

  /** Lets those go on who may. */
  wake(): void {
    for (const begin of this.#waiting) {
      if (!this.#isFree()) return
      this.#taken++
      begin()
    }
  }

  #isFree(): boolean {
    return this.#taken < this.#options.maxTaken && this.#options.isHeld?.() !== true
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const { maxWaiting, waitMs, clock, refusal } = this.#options
    if (this.#waiting.size >= maxWaiting) throw refusal()
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer?.cancel()
        signal?.removeEventListener('abort', leave)
        this.#waiting.delete(begin)
        if (this.#waiting.size === 0) this.#options.onDrained?.()
      }
      const begin = (): void => {
        end()
        resolve()
      }
      const leave = (): void => {
        end()
        reject(signal?.reason as Error)
      }
      this.#waiting.add(begin)
      signal?.addEventListener('abort', leave, { once: true })
      const tooLate = (): void => {
        end()
        reject(refusal())
      }
      const timer = waitMs === undefined ? undefined : clock?.schedule(waitMs, tooLate)
    })
  }
}
