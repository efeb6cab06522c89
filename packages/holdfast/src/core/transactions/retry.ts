import type { Clock } from '../../foundation/clock.ts'

export interface RetryOptions {
  /** How often the work is run again, at most. */
  readonly retries: number
  /** Whether another attempt may end better, and can do no harm. */
  readonly mayRetry: (thrown: unknown) => boolean
  readonly clock: Clock
  /** Gives up waiting for the next attempt. */
  readonly signal: AbortSignal
  /** From 0 up to, but not including, 1. Default `Math.random` */
  readonly random?: () => number
}

const firstDelayMs = 10
const longestDelayMs = 500

/**
 * Runs `attempt` until it succeeds or fails for good. Waits in between for any moment up to a bound that doubles: those
 * that were in each other's way come back apart.
 *
 * @throws what the last attempt threw
 * @see M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (full jitter)
 */
export async function retrying<Result>(attempt: () => Promise<Result>, options: RetryOptions): Promise<Result> {
  const { retries, mayRetry, signal } = options
  for (let done = 0; ; done += 1) {
    try {
      return await attempt()
    } catch (thrown) {
      if (done >= retries || signal.aborted || !mayRetry(thrown)) throw thrown
      await pause(done, options)
      // The reason why the last attempt failed says more than that time is up.
      if (signal.aborted) throw thrown
    }
  }
}

function pause(done: number, { clock, signal, random = Math.random }: RetryOptions): Promise<void> {
  const delayMs = random() * Math.min(longestDelayMs, firstDelayMs * 2 ** done)
  return new Promise((resolve) => {
    const finish = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = clock.schedule(delayMs, finish)
    signal.addEventListener('abort', finish, { once: true })
  })
}
