import type { Clock } from './clock.ts'

/** Waits no longer than until `signal` aborts, and throws its reason then. What `promise` comes to is nobody's. */
export async function unlessAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (signal === undefined) return await promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const leave = (): void => reject(signal.reason as Error)
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Waits for at most `ms` milliseconds, and throws what `refusal` makes then. What `promise` comes to is nobody's. */
export async function within<Result>(
  ms: number,
  clock: Clock,
  promise: Promise<Result>,
  refusal: () => Error,
): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = clock.schedule(ms, () => reject(refusal()))
  try {
    return await Promise.race([promise, late])
  } finally {
    timer.cancel()
  }
}
