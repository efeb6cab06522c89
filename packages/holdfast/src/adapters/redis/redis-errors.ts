import { ServiceUnavailableError, withoutStack } from '../../foundation/errors.ts'

/** What every command fails with that Redis did not answer. Without a stack: an outage makes them by the thousand. */
export function unavailable(message: string, cause?: unknown): ServiceUnavailableError {
  return withoutStack(() => new ServiceUnavailableError('redis.unavailable', message, { cause, retryAfterSeconds: 1 }))
}

// What Redis says while it starts, fails over, moves slots, is out of memory or disk, or is held up by a script.
const passing =
  /^(?:LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|OOM|BUSY|ERR max number of clients)\b/

/** Redis' own answer to one command, which is a defect and passes, unless it says that Redis cannot work right now. */
export function translate(error: unknown): unknown {
  const told = withoutArguments(error)
  if (!isReplyError(told)) return unavailable('Redis is not reachable; try again shortly.', told)
  return passing.test(told.message) ? unavailable('Redis cannot serve this right now; try again shortly.', told) : told
}

export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** The driver hangs a command's arguments on its errors, and Redis quotes them: passwords, tokens, keys. */
export function withoutArguments(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  Reflect.deleteProperty(error, 'command')
  const start = error.message.indexOf(', with args beginning with')
  if (start !== -1) error.message = error.message.slice(0, start)
  if (start !== -1 && error.stack !== undefined) error.stack = `${error.name}: ${error.message}`
  return error
}
