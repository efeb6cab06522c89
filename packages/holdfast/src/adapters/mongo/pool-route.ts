import { currentRequest } from '../../core/context/request-context.ts'
import { currentCallOptions } from './call-options.ts'
import { translateMongoError } from './errors.ts'
import type { GivenOptions, Job, Route } from './operations.ts'
import type { Workload } from './workload.ts'

/** The way of whatever is asked outside of a transaction: each operation by itself. */
export class PoolRoute implements Route {
  readonly #workload: Workload

  constructor(workload: Workload) {
    this.#workload = workload
  }

  async ask<Result>(given: GivenOptions, _writes: boolean, job: Job<Result>): Promise<Result> {
    const { constraints, signal: ofCall } = currentCallOptions()
    const signal = firstSignal(given.signal, ofCall, currentRequest()?.signal)
    try {
      const maxTimeMS = this.#timeFor(given, signal)
      return await this.#workload.run((client) => job(client.db(), { maxTimeMS, signal }), signal)
    } catch (thrown) {
      throw signal?.aborted === true ? signal.reason : translateMongoError(thrown, constraints)
    }
  }

  #timeFor(given: GivenOptions, signal: AbortSignal | undefined): number {
    const request = currentRequest()
    const untilDeadline = signal !== undefined && request?.signal === signal ? request.remainingMs() : Infinity
    return timeFor(given, this.#workload.settings.operationTimeoutMs, untilDeadline)
  }
}

/** The first that says something; `null` says that there is none. */
function firstSignal(...signals: readonly (AbortSignal | null | undefined)[]): AbortSignal | undefined {
  return signals.find((signal) => signal !== undefined) ?? undefined
}

/** The shortest of what the caller, the pool and the deadline allow. Zero would be without a limit, for the server. */
export function timeFor({ maxTimeMS }: GivenOptions, operationTimeoutMs: number, remainingMs: number): number {
  const wanted = maxTimeMS === undefined || maxTimeMS === 0 ? Infinity : maxTimeMS
  return Math.max(1, Math.floor(Math.min(wanted, operationTimeoutMs, remainingMs)))
}
