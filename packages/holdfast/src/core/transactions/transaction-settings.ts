import { wholeNumber } from '../../foundation/whole-number.ts'
import { scopesHere } from './ambient.ts'
import type { IsolationLevel, TransactionOptions } from './transactions.ts'

export interface TransactionSettings {
  readonly isolation: IsolationLevel | undefined
  readonly readOnly: boolean
  readonly retries: number
  readonly timeoutMs: number
}

const isolationLevels: readonly unknown[] = ['read committed', 'repeatable read', 'serializable']

/** @throws {TypeError | RangeError} for an option out of its bounds, showing it */
export function readTransactionOptions(options: TransactionOptions, timeoutMs: number): TransactionSettings {
  const { isolation, readOnly = false, retries = 3 } = options
  if (isolation !== undefined && !isolationLevels.includes(isolation)) {
    throw new TypeError(`isolation is one of ${isolationLevels.join(', ')}; received ${String(isolation)}`)
  }
  return {
    isolation,
    readOnly,
    retries: mayRetryHere(wholeNumber('retries', retries, 0, 10)),
    timeoutMs: wholeNumber('timeoutMs', options.timeoutMs ?? timeoutMs, 1, 3_600_000),
  }
}

/** Inside of a transaction of another database, work that is run again would be done twice there. */
function mayRetryHere(retries: number): number {
  return scopesHere().length === 0 ? retries : 0
}
