import { ServiceUnavailableError, withoutStack } from '../../foundation/errors.ts'

/** Lets a bounded number of jobs run, a bounded number wait in the order they came, and turns the rest away at once. */
export class Permits {
  readonly #maxConcurrent: number
  readonly #maxQueued: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(maxConcurrent: number, maxQueued: number) {
    this.#maxConcurrent = maxConcurrent
    this.#maxQueued = maxQueued
  }

  /**
   * @param signal - whoever waits leaves the queue when it aborts; a job that runs is not stopped
   * @throws {ServiceUnavailableError} `auth.busy` when the queue is full
   */
  async run<Result>(job: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    await this.#take(signal)
    try {
      return await job()
    } finally {
      this.#release()
    }
  }

  async #take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (this.#running < this.#maxConcurrent) {
      this.#running++
      return
    }
    if (this.#waiting.size >= this.#maxQueued) throw busy()
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.delete(begin)
        reject(signal?.reason as Error)
      }
      this.#waiting.add(begin)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }

  // The permit goes from hand to hand: were it put down first, a newcomer could take it before whoever waits.
  #release(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#running--
      return
    }
    this.#waiting.delete(next)
    next()
  }
}

const busy = (): ServiceUnavailableError =>
  withoutStack(
    () =>
      new ServiceUnavailableError('auth.busy', 'Too many people sign in at this moment; try again in a second.', {
        retryAfterSeconds: 1,
      }),
  )
