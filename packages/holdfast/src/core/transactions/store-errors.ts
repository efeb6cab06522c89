import { ConflictError, GatewayTimeoutError, ServiceUnavailableError } from '../../foundation/errors.ts'

// What a service hears of its store, in the same words and codes whatever the store is.

/** Something unique is there already. */
export function alreadyExists(cause: unknown): ConflictError {
  return new ConflictError('database.already_exists', 'This clashes with something that exists already.', { cause })
}

export function timedOut(cause: unknown): GatewayTimeoutError {
  return new GatewayTimeoutError('database.timeout', 'This took longer than it was given. Try again.', { cause })
}

/** A transaction that took too long. */
export function tookTooLong(timeoutMs: number): GatewayTimeoutError {
  return new GatewayTimeoutError(
    'database.transaction_timeout',
    `This did not end within the ${timeoutMs} ms that it was given, so nothing of it was saved. Try again.`,
  )
}

/** Too many wait for their turn already, or the store gave up on one for the sake of another. */
export function busy(cause?: unknown): ServiceUnavailableError {
  return new ServiceUnavailableError('database.busy', 'Too much is going on at once. Try again shortly.', {
    cause,
    retryAfterSeconds: 1,
  })
}

export function unavailable(cause?: unknown): ServiceUnavailableError {
  return new ServiceUnavailableError('database.unavailable', 'Stored data cannot be reached. Try again shortly.', {
    cause,
    retryAfterSeconds: 2,
  })
}

export function closed(): ServiceUnavailableError {
  return new ServiceUnavailableError('database.closed', 'The service is shutting down. Try again shortly.', {
    retryAfterSeconds: 1,
  })
}

/** The one failure after which nobody can tell whether it was done. */
export function outcomeUnknown(cause: unknown): ServiceUnavailableError {
  return new ServiceUnavailableError(
    'database.outcome_unknown',
    'The connection was lost while this was being saved, so it may be saved or not. Look before you repeat it.',
    { cause },
  )
}

/** A defect: something was not waited for where it was begun. */
export function usedAfterEnd(): Error {
  return new Error(
    'A transaction was used after its end. Wait for everything that is asked inside of it, ' +
      'or start what goes on without it by `outsideTransaction`',
  )
}
