import { challengeOf, toProblem } from '../../core/http/problem.ts'
import { AppError, type ErrorKind, isAppError, withoutStack } from '../../foundation/errors.ts'

type Words = readonly [kind: ErrorKind, code: string, detail: string]

const words: Readonly<Record<number, Words>> = {
  400: ['invalid', 'request.invalid', 'The request is not valid.'],
  403: ['forbidden', 'request.forbidden', 'This may not be read.'],
  404: ['not-found', 'request.not_found', 'There is nothing at this path.'],
  412: ['precondition-failed', 'request.precondition_failed', 'A condition of the request does not hold.'],
  413: ['too-large', 'request.too_large', 'The body is larger than this route takes.'],
  414: ['uri-too-long', 'request.uri_too_long', 'The request target is too long.'],
  415: ['unsupported', 'request.unsupported_media_type', 'This route does not read that media type or encoding.'],
  416: ['range-not-satisfiable', 'request.range_not_satisfiable', 'There is nothing in that range.'],
}

/**
 * What Express, its body parsers and Fastify refuse by themselves, in our words: their texts, names and codes stay
 * inside. Everything else is returned as it is, and so stays a defect, whatever status it claims.
 */
export function toAppError(thrown: unknown): unknown {
  if (isAppError(thrown)) return thrown
  try {
    const status = frameworkStatus(thrown)
    // What we have no words for was the client's fault all the same.
    const found = status === undefined ? undefined : (words[status] ?? words[400])
    return found === undefined
      ? thrown
      : withoutStack(() => new AppError(found[0], found[1], found[2], { cause: thrown }))
  } catch {
    return thrown
  }
}

function frameworkStatus(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined
  const { code, expose, status, statusCode } = thrown as Error & Readonly<Record<string, unknown>>
  const isFastify = typeof code === 'string' && code.startsWith('FST_ERR_')
  // http-errors, as Express's parsers and static files throw them, and its router's broken encoding. Whether their
  // message may be shown (`expose`) is no matter here: it never is.
  const isExpress = (typeof expose === 'boolean' && status === statusCode) || thrown instanceof URIError
  const isRefusal = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500
  return (isFastify || isExpress) && isRefusal ? statusCode : undefined
}

/**
 * What frameworks can be told was thrown. They take a missing or falsy reason for "all is well", and Express takes the
 * words `route` and `router` for orders; any of these would go on to the next handler.
 */
function toReason(thrown: unknown): object {
  if ((typeof thrown === 'object' && thrown !== null) || typeof thrown === 'function') return thrown
  return new TypeError(`A handler threw ${String(thrown)}`, { cause: thrown })
}

/**
 * A refusal as frameworks read it, so that an app with an error handler of its own, or with none, answers with the
 * status that is meant. A defect stays what it is, also one that is no error at all.
 */
export function toNativeError(thrown: unknown): Error {
  const reason = toReason(thrown)
  try {
    if (isAppError(reason)) describeToFrameworks(reason)
  } catch {
    // One that can't be described, because it is frozen or a look-alike, is a defect to its framework.
  }
  return reason as Error
}

function describeToFrameworks(error: AppError): void {
  const { problem, isDefect, retryAfterSeconds } = toProblem(error)
  if (isDefect) return
  const headers: Record<string, string> = {}
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
  if (problem.status === 401) headers['www-authenticate'] = challengeOf(problem.code)
  for (const [name, value] of Object.entries({ status: problem.status, statusCode: problem.status, headers })) {
    Object.defineProperty(error, name, { value, configurable: true })
  }
}
