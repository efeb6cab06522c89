import { AsyncLocalStorage } from 'node:async_hooks'
import type { IndexErrors } from './errors.ts'

export interface MongoCallOptions {
  /** What a clash in a unique index, by its name, means to the domain. */
  readonly constraints?: IndexErrors
  /**
   * Ends the operation when it aborts; the call then rejects with its reason. Default: the signal of the current request,
   * which aborts at its deadline and when its client leaves. `null`: nothing ends it but its timeout, for what has to be
   * written even so. In a transaction that of the transaction goes before it.
   */
  readonly signal?: AbortSignal | null
}

const storage = new AsyncLocalStorage<MongoCallOptions>()

/** Runs `work` so that every operation it asks for has these options. */
export function withCallOptions<Result>(options: MongoCallOptions, work: () => Result): Result {
  return storage.run(options, work)
}

export function currentCallOptions(): MongoCallOptions {
  return storage.getStore() ?? {}
}
