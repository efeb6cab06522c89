/**
 * What went wrong, in the words of the business. A small closed set, so that one table can map it to HTTP and services
 * never name a status. See {@link AppError}.
 */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'method-not-allowed'
  | 'request-timeout'
  | 'conflict'
  | 'precondition-failed'
  | 'too-large'
  | 'uri-too-long'
  | 'unsupported'
  | 'range-not-satisfiable'
  | 'expectation-failed'
  | 'too-many'
  | 'headers-too-large'
  | 'unavailable'
  | 'timeout'

/** One fault in what a caller sent: where, which rule, and what to do about it. */
export interface Issue {
  /** Where the value stood, outermost first: `['body', 'lines', 0, 'sku']`. */
  readonly path: readonly (string | number)[]
  /** Permanent machine name of the broken rule, such as `too_small`. */
  readonly code: string
  /** One sentence for the person who sent it. Never holds the value that was sent. */
  readonly message: string
}

export interface AppErrorOptions {
  /** What caused this. Logged, never sent. */
  readonly cause?: unknown
  /** Whole seconds after which a retry makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number
  /** The single faults, sent as `errors`. */
  readonly issues?: readonly Issue[]
}

// A registered symbol, so that two copies of this package in one process recognise each other's errors.
const brand = Symbol.for('holdfast.AppError')

/**
 * A failure the service expects and the caller may read about.
 * Its `message` is sent to the caller as `detail`, so say what happened, why, and what to do, and keep internals in
 * `cause`. Anything thrown that is not an `AppError` is a defect: logged whole, answered with a bare 500.
 */
export class AppError extends Error {
  readonly kind: ErrorKind
  /** Namespaced and permanent: `orders.already_shipped`. */
  readonly code: string
  readonly retryAfterSeconds: number | undefined
  readonly issues: readonly Issue[] | undefined

  constructor(kind: ErrorKind, code: string, message: string, options: AppErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.kind = kind
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
    this.issues = options.issues
    Object.defineProperty(this, brand, { value: true })
  }

  override get name(): string {
    return this.constructor.name
  }
}

/** True for an {@link AppError} of any copy of this package. Never throws, whatever it is given. */
export function isAppError(thrown: unknown): thrown is AppError {
  try {
    return typeof thrown === 'object' && thrown !== null && (thrown as Record<symbol, unknown>)[brand] === true
  } catch {
    // A proxy or a getter that throws is nobody's AppError.
    return false
  }
}

/**
 * Makes an error without its stack, or runs what throws one. For refusals that the kit itself hands out by the thousand
 * under attack: where they were made is known, and a stack costs more than the rest of the answer.
 */
export function withoutStack<Made>(make: () => Made): Made {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** 400: what was sent breaks a rule; `issues` says which. */
export class ValidationError extends AppError {
  constructor(message: string, options: AppErrorOptions & { readonly code?: string } = {}) {
    super('invalid', options.code ?? 'request.invalid', message, options)
  }
}

/** 401: who is calling is not known. */
export class UnauthorizedError extends AppError {
  constructor(message = 'Sign in to do this.', options: AppErrorOptions & { readonly code?: string } = {}) {
    super('unauthenticated', options.code ?? 'auth.unauthenticated', message, options)
  }
}

/** 403: who is calling is known and may not. For somebody else's object prefer {@link NotFoundError}. */
export class ForbiddenError extends AppError {
  constructor(message = 'You may not do this.', options: AppErrorOptions & { readonly code?: string } = {}) {
    super('forbidden', options.code ?? 'auth.forbidden', message, options)
  }
}

/** 404: there is no such thing, or none that this caller may know of. */
export class NotFoundError extends AppError {
  constructor(code: string, message: string, options?: AppErrorOptions) {
    super('not-found', code, message, options)
  }
}

/** 409: the thing is in a state that does not allow this. */
export class ConflictError extends AppError {
  constructor(code: string, message: string, options?: AppErrorOptions) {
    super('conflict', code, message, options)
  }
}

/** 413: more bytes than the route takes. */
export class PayloadTooLargeError extends AppError {
  constructor(message: string, options: AppErrorOptions & { readonly code?: string } = {}) {
    super('too-large', options.code ?? 'request.too_large', message, options)
  }
}

/** 415: a media type, charset or encoding the route does not read. */
export class UnsupportedMediaTypeError extends AppError {
  constructor(message: string, options: AppErrorOptions & { readonly code?: string } = {}) {
    super('unsupported', options.code ?? 'request.unsupported_media_type', message, options)
  }
}

/** 429: the caller has used up what a policy grants. */
export class TooManyRequestsError extends AppError {
  constructor(message: string, options: AppErrorOptions & { readonly code?: string } = {}) {
    super('too-many', options.code ?? 'rate_limit.exceeded', message, options)
  }
}

/** 503: something this needs is not there right now; the same call may work later. */
export class ServiceUnavailableError extends AppError {
  constructor(code: string, message: string, options?: AppErrorOptions) {
    super('unavailable', code, message, options)
  }
}

/** 504: something this needs took longer than it was given. */
export class GatewayTimeoutError extends AppError {
  constructor(code: string, message: string, options?: AppErrorOptions) {
    super('timeout', code, message, options)
  }
}
