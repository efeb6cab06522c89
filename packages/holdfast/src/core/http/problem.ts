import { type AppError, type ErrorKind, type Issue, isAppError } from '../../foundation/errors.ts'

/** One table from kinds to HTTP. Services never name a status. */
const wire: Readonly<Record<ErrorKind, readonly [status: number, title: string]>> = {
  invalid: [400, 'Bad Request'],
  unauthenticated: [401, 'Unauthorized'],
  forbidden: [403, 'Forbidden'],
  'not-found': [404, 'Not Found'],
  'method-not-allowed': [405, 'Method Not Allowed'],
  'request-timeout': [408, 'Request Timeout'],
  conflict: [409, 'Conflict'],
  'precondition-failed': [412, 'Precondition Failed'],
  'too-large': [413, 'Content Too Large'],
  'uri-too-long': [414, 'URI Too Long'],
  unsupported: [415, 'Unsupported Media Type'],
  'range-not-satisfiable': [416, 'Range Not Satisfiable'],
  'expectation-failed': [417, 'Expectation Failed'],
  'too-many': [429, 'Too Many Requests'],
  'headers-too-large': [431, 'Request Header Fields Too Large'],
  unavailable: [503, 'Service Unavailable'],
  timeout: [504, 'Gateway Timeout'],
}

/**
 * An error as it is sent (RFC 9457). This interface is the allow-list: a body is built member by member from it,
 * whatever was thrown and whatever NODE_ENV says.
 */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance?: string
  readonly code: string
  readonly requestId?: string
  readonly errors?: readonly Issue[]
}

/** Where it happened: what the answer shares with the log line. */
export interface ProblemContext {
  readonly requestId?: string | undefined
  readonly instance?: string | undefined
}

/** A thrown value, judged. `isDefect` means nobody expected it and somebody has to look. */
export interface Verdict {
  readonly problem: Problem
  readonly isDefect: boolean
  readonly retryAfterSeconds: number | undefined
}

const bareDetail = 'Something went wrong on our side. If it persists, tell us the requestId.'

/**
 * What the caller may learn of a thrown value. Takes anything: null, proxies, getters that throw, errors that claim a
 * status. Only an `AppError` of a known kind speaks; all else is a defect with a constant text.
 */
export function toProblem(thrown: unknown, context: ProblemContext = {}): Verdict {
  try {
    const expected = isAppError(thrown) ? fromAppError(thrown, context) : undefined
    if (expected !== undefined) return expected
  } catch {
    // Something that calls itself an AppError and throws when read is a defect like any other.
  }
  return { problem: defectProblem(context), isDefect: true, retryAfterSeconds: undefined }
}

function fromAppError(error: AppError, context: ProblemContext): Verdict | undefined {
  const { kind, code, message, issues, retryAfterSeconds } = error
  const known = Object.hasOwn(wire, kind) ? wire[kind] : undefined
  if (known === undefined || typeof message !== 'string' || typeof code !== 'string') return undefined
  // A list of somebody else's making could map itself to anything.
  if (issues !== undefined && !Array.isArray(issues)) return undefined
  const [status, title] = known
  const errors = issues && issues.length > 0 ? { errors: Array.from(issues, toPlainIssue) } : {}
  return {
    problem: { type: 'about:blank', title, status, detail: message, ...where(context), code, ...errors },
    isDefect: false,
    retryAfterSeconds: isPositive(retryAfterSeconds) ? Math.ceil(retryAfterSeconds) : undefined,
  }
}

const toPlainIssue = ({ path, code, message }: Issue): Issue => ({
  path: [...path].map((step) => (typeof step === 'number' ? step : String(step))),
  code: String(code),
  message: String(message),
})

function defectProblem(context: ProblemContext): Problem {
  return {
    type: 'about:blank',
    title: 'Internal Server Error',
    status: 500,
    detail: bareDetail,
    ...where(context),
    code: 'internal',
  }
}

function where({ instance, requestId }: ProblemContext): { instance?: string; requestId?: string } {
  return { ...(instance === undefined ? {} : { instance }), ...(requestId === undefined ? {} : { requestId }) }
}

const isPositive = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0

/**
 * What `WWW-Authenticate` says with a 401 of this code. A client that showed a token learns that it is the token; one that
 * showed none, no more.
 *
 * @see RFC 6750, section 3.1
 */
export const challengeOf = (code: string): string =>
  code.startsWith('auth.token_') ? 'Bearer error="invalid_token"' : 'Bearer'

/** What an edge sends when even the handler of errors failed. */
export const lastResortBody: string = JSON.stringify(defectProblem({}))

export const problemContentType = 'application/problem+json; charset=utf-8'
