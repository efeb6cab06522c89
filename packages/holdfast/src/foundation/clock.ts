/**
 * Time as an argument. Parts that wait or measure take a `Clock`, so tests move time by hand instead of sleeping.
 * Production uses {@link systemClock}; tests use `createManualClock` of `holdfast/testing`.
 */
export interface Clock {
  /** Milliseconds since 1970 (wall clock: may be stepped; for stamps and expiry dates). */
  now(): number
  /** Milliseconds since some fixed moment, never stepped back; for durations. */
  elapsed(): number
  /** Calls `callback` once after `delayMs`. The timer never keeps the process alive. */
  schedule(delayMs: number, callback: () => void): Timer
}

export interface Timer {
  cancel(): void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  schedule(delayMs, callback) {
    const timeout = setTimeout(callback, delayMs)
    timeout.unref()
    return { cancel: () => clearTimeout(timeout) }
  },
}
