import type { AfterCommit } from '../../core/transactions/after-commit.ts'
import { retrying } from '../../core/transactions/retry.ts'
import type { TransactionSettings } from '../../core/transactions/transaction-settings.ts'
import type { Clock } from '../../foundation/clock.ts'
import { unlessAborted } from '../../foundation/waiting.ts'
import { type TransactionHost, TransactionRoot } from './transaction-root.ts'
import { TransactionScope, type Work } from './transaction-scope.ts'
import type { Workload } from './workload.ts'
import { tookTooLong } from '../../core/transactions/store-errors.ts'

export interface TransactionRun {
  readonly pool: Workload
  readonly settings: TransactionSettings
  readonly host: TransactionHost
  readonly isSecured: boolean
  readonly clock: Clock
  /** Aborts when nobody waits for the result any more. */
  readonly requestSignal: AbortSignal | undefined
}

interface Committed<Result> {
  readonly result: Result
  readonly callbacks: readonly AfterCommit[]
}

/** Runs `work` from BEGIN to COMMIT, as often as it takes and may. */
export async function runTransaction<Result>(work: Work<Result>, run: TransactionRun): Promise<Committed<Result>> {
  const { settings, clock, requestSignal } = run
  const stop = new AbortController()
  const leave = (): void => stop.abort(requestSignal?.reason)
  const timer = clock.schedule(settings.timeoutMs, () => stop.abort(tookTooLong(settings.timeoutMs)))
  if (requestSignal?.aborted === true) leave()
  requestSignal?.addEventListener('abort', leave, { once: true })
  let last: TransactionRoot | undefined
  try {
    return await retrying(() => attempt(work, run, stop.signal, (root) => (last = root)), {
      retries: settings.retries,
      mayRetry: (thrown) => last?.mayRetry(thrown) === true,
      clock,
      signal: stop.signal,
    })
  } finally {
    timer.cancel()
    requestSignal?.removeEventListener('abort', leave)
  }
}

async function attempt<Result>(
  work: Work<Result>,
  { pool, settings, host, isSecured }: TransactionRun,
  signal: AbortSignal,
  onBegin: (root: TransactionRoot) => void,
): Promise<Committed<Result>> {
  const connection = await pool.take(signal)
  const root = new TransactionRoot(connection, settings, host, signal)
  const scope = new TransactionScope(root)
  onBegin(root)
  try {
    // Work that waits for something else than the database holds its connection no longer than it may.
    const result = await unlessAborted(scope.enter(work, isSecured), signal)
    await root.commit()
    return { result, callbacks: scope.takeCallbacks() }
  } catch (thrown) {
    await root.rollback()
    throw thrown
  } finally {
    pool.release(connection)
  }
}
