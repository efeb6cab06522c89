import type { Clock } from '../../foundation/clock.ts'

export type Outcome = 'done' | 'late' | { readonly failure: unknown }

/** Runs a task that may throw, reject or never end, and says within `ms` which it was. Never rejects. */
export function bounded(clock: Clock, ms: number, task: () => unknown): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = clock.schedule(ms, () => resolve('late'))
    const settle = (outcome: Outcome): void => {
      timer.cancel()
      resolve(outcome)
    }
    Promise.resolve()
      .then(task)
      .then(
        () => settle('done'),
        (failure: unknown) => settle({ failure }),
      )
  })
}
