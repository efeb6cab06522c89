import mongoose from 'mongoose'
import { ConflictError, isAppError } from '../../foundation/errors.ts'
import type { AppError } from '../../foundation/errors.ts'
import { alreadyExists, busy, timedOut, unavailable } from '../../core/transactions/store-errors.ts'

const { MongoError, MongoErrorLabel, MongoNetworkError, MongoServerError } = mongoose.mongo

/**
 * What a clash in a unique index, by its name, means to the domain:
 * `{ products_sku: (cause) => new ConflictError('catalog.sku_taken', 'This SKU is taken.', { cause }) }`.
 */
export type IndexErrors = Readonly<Record<string, (cause: unknown) => AppError>>

/**
 * Turns what the driver throws into what a service expects: a conflict, a timeout, an outage.
 * Messages name no collection, host or key; the driver's error stays as `cause`, for the log. What it quotes of documents
 * and keys is taken out of its message and stands in no log line: such a key may be an address.
 * Whatever is not listed in this file is a defect and comes back as the error it was, such as a document that does not
 * fit its model.
 *
 * @param constraints - answers for unique indexes by name; they go before the general one
 * @returns an {@link AppError}, or `thrown` itself. Never throws on its own account
 */
export function translateMongoError(thrown: unknown, constraints: IndexErrors = {}): unknown {
  if (isAppError(thrown) || !(thrown instanceof Error)) return thrown
  const translated = translate(originOf(redacted(thrown)), constraints)
  keepOut(translated, membersOfMongoose)
  return translated
}

/** Bulk writes, `insertMany` among them, hide whatever happened behind an error that looks like the server's. */
function originOf(thrown: Error): Error {
  const { errorResponse } = thrown as { readonly errorResponse?: unknown }
  return errorResponse instanceof Error ? errorResponse : thrown
}

function translate(thrown: Error, constraints: IndexErrors): unknown {
  if (!(thrown instanceof MongoError)) return isOutage(thrown) ? unavailable(thrown) : fromMongoose(thrown)
  const code = codeOf(thrown)
  if (code === duplicateKey) {
    const index = indexOf(thrown)
    if (index !== undefined && Object.hasOwn(constraints, index)) return constraints[index]?.(thrown)
    return alreadyExists(thrown)
  }
  return fromCode(code, thrown)
}

// https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
const duplicateKey = 11_000
const writeConflict = 112

const maxTimeExpired: ReadonlySet<unknown> = new Set([
  50, // MaxTimeMSExpired
  262, // ExceededTimeLimit
  290, // TransactionExceededLifetimeLimitSeconds
  11_601, // Interrupted, by an administrator
])

const busyCodes: ReadonlySet<unknown> = new Set([
  24, // LockTimeout
  46, // LockBusy
  writeConflict,
  225, // TransactionTooOld
  239, // SnapshotTooOld
  246, // SnapshotUnavailable
  251, // NoSuchTransaction: the server gave up on it, for the sake of others or for its age
  462, // IngressRequestRateLimitExceeded
])

const outageCodes: ReadonlySet<unknown> = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  18, // AuthenticationFailed
  43, // CursorNotFound: it went with its server, or lay idle for too long
  63, // StaleShardVersion
  64, // WriteConcernTimeout: too few members of the replica set are there
  89, // NetworkTimeout
  91, // ShutdownInProgress
  100, // UnsatisfiableWriteConcern
  133, // FailedToSatisfyReadPreference
  134, // ReadConcernMajorityNotAvailableYet
  189, // PrimarySteppedDown
  9001, // SocketException
  10_058, // LegacyNotPrimary
  10_107, // NotWritablePrimary
  11_600, // InterruptedAtShutdown
  11_602, // InterruptedDueToReplStateChange
  13_388, // StaleConfig
  13_435, // NotPrimaryNoSecondaryOk
  13_436, // NotPrimaryOrSecondary
  14_031, // OutOfDiskSpace
])

function fromCode(code: unknown, cause: Error): unknown {
  if (maxTimeExpired.has(code) || cause.name === 'MongoOperationTimeoutError') return timedOut(cause)
  if (busyCodes.has(code) || cause.name === 'MongoWaitQueueTimeoutError') return busy(cause)
  if (outageCodes.has(code) || isOutage(cause)) return unavailable(cause)
  return cause
}

/** A document that somebody else changed between being read and being saved. */
function fromMongoose(thrown: Error): unknown {
  if (thrown.name !== 'VersionError' && thrown.name !== 'DocumentNotFoundError') return thrown
  return new ConflictError('database.changed_meanwhile', 'Somebody else has changed this. Read it again.', {
    cause: thrown,
  })
}

// By name and not by class: the driver keeps some of its classes to itself.
const outageNames: ReadonlySet<string> = new Set([
  'MongoClientClosedError',
  'MongoExpiredSessionError',
  'MongoNotConnectedError',
  'MongoPoolClearedError',
  'MongoPoolClearedOnNetworkError',
  'MongoPoolClosedError',
  'MongoServerClosedError',
  'MongoServerSelectionError',
  'MongoTopologyClosedError',
])

// A connection that breaks while the driver writes to it: those errors come as Node makes them, without a label.
const systemCodes: ReadonlySet<unknown> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ERR_STREAM_DESTROYED',
  'ETIMEDOUT',
])

function isOutage(thrown: Error): boolean {
  if (thrown instanceof MongoNetworkError || outageNames.has(thrown.name) || isSystemError(thrown)) return true
  return hasLabel(thrown, MongoErrorLabel.RetryableWriteError)
}

function isSystemError(thrown: Error): boolean {
  return systemCodes.has((thrown as NodeJS.ErrnoException).code)
}

/** For a failure on the way to a connection, where whatever went wrong means that there is no database for now. */
export function translateConnectError(thrown: unknown): unknown {
  const translated = translateMongoError(thrown)
  return translated === thrown ? unavailable(thrown) : translated
}

/**
 * Whether the database gave up on a transaction for reasons that may be over when it is tried again. When the commit failed
 * so, nothing was committed.
 */
export function mayEndBetter(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  const origin = originOf(thrown)
  return hasLabel(origin, MongoErrorLabel.TransientTransactionError) || codeOf(origin) === writeConflict
}

/** Whether a connection broke, or was not to be had because others broke, whatever the driver makes of it. */
export function isConnectionLoss(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  const origin = originOf(thrown)
  return origin instanceof MongoNetworkError || isSystemError(origin)
}

/**
 * Whether a commit that failed may have been done even so: always, unless the server said that it was not. The driver fails
 * in other ways too when a connection breaks under it, down to a TypeError of its own.
 */
export function isCommitOutcomeUnknown(thrown: unknown): boolean {
  if (!(thrown instanceof MongoServerError) || thrown.name === 'MongoWriteConcernError') return true
  if (hasLabel(thrown, MongoErrorLabel.UnknownTransactionCommitResult)) return true
  const code = codeOf(thrown)
  return outageCodes.has(code) || maxTimeExpired.has(code)
}

function hasLabel(thrown: unknown, label: string): boolean {
  return thrown instanceof MongoError && thrown.hasErrorLabel(label)
}

/** The code of the error, or that of a write concern which was not met. */
function codeOf(thrown: unknown): unknown {
  if (!(thrown instanceof MongoServerError)) return undefined
  // `code` is an int64 in some answers.
  return typeof thrown.code === 'object' ? Number(thrown.code) : thrown.code
}

/** `E11000 duplicate key error collection: shop.products index: products_sku dup key: { … }` */
function indexOf(thrown: Error): string | undefined {
  return indexNames.get(thrown)
}

const indexNames = new WeakMap<Error, string>()

/**
 * The same error, without what it quotes of documents, keys and filters where a logger looks: in its message and stack, and
 * in what is enumerable.
 */
export function redacted<Thrown>(thrown: Thrown): Thrown {
  if (!(thrown instanceof Error)) return thrown
  redact(thrown)
  redact(originOf(thrown))
  return thrown
}

function redact(error: Error): void {
  if (indexNames.has(error)) return
  const { message } = error
  const index = /index: (?:\S+\.\$)?(.+?)(?: collation: .*?)? dup key/s.exec(message)?.[1]
  if (index !== undefined) indexNames.set(error, index)
  if (error instanceof MongoError) {
    rewrite(error, message.replace(/\{.*\}/s, '{…}'))
    keepOut(error, quotingMembers)
  } else if (mongooseErrors.has(error.name)) {
    rewrite(error, reasonOfMongoose(error))
    keepOut(error, quotingMembers)
  }
}

function rewrite(error: Error, message: string): void {
  const before = error.message
  if (message === before) return
  const stack = error.stack?.replace(before, () => message)
  define(error, 'message', message)
  define(error, 'stack', stack)
}

const quotingMembers = (
  'errorResponse errInfo keyValue writeErrors writeConcernError result err op originalError errors reason value ' +
  'stringValue filter query document modifiedPaths'
).split(' ')

/** What Mongoose hangs on whatever `insertMany` throws: the documents. */
const membersOfMongoose = ['insertedDocs', 'results', 'writeErrors', 'mongoose', 'validationErrors']

/** Keeps members of an error, those it has and those it may get, out of every log line. They can be read all the same. */
function keepOut(error: unknown, members: readonly string[]): void {
  if (!(error instanceof Error)) return
  for (const member of members) {
    if (isAppError(error) && member in error) continue
    define(error, member, (error as unknown as Record<string, unknown>)[member])
  }
}

function define(error: Error, member: string, value: unknown): void {
  try {
    Object.defineProperty(error, member, { value, enumerable: false, configurable: true, writable: true })
  } catch {
    // A frozen error, or a getter of its own: not the driver's.
  }
}

const mongooseErrors: ReadonlySet<string> = new Set([
  'CastError',
  'DocumentNotFoundError',
  'ObjectExpectedError',
  'ObjectParameterError',
  'StrictModeError',
  'StrictPopulateError',
  'ValidationError',
  'ValidatorError',
  'VersionError',
])

/** Which paths of the model were not fitted, and how; not what stood there. */
function reasonOfMongoose(error: Error): string {
  const { errors, path } = error as { readonly errors?: unknown; readonly path?: unknown }
  if (typeof errors === 'object' && errors !== null) {
    const faults = Object.entries(errors).map(([at, fault]) => `${at}: ${kindOf(fault)}`)
    return `A document does not fit its model. ${faults.join('; ')}`
  }
  if (typeof path === 'string') return `A value does not fit its model. ${path}: ${kindOf(error)}`
  return error.message.replace(/\{.*\}/s, '{…}').replaceAll(/"[^"]*"/g, '"…"')
}

/** `required`, `Number`, `StrictModeError` */
function kindOf(fault: unknown): string {
  const { kind, name } = Object(fault) as { readonly kind?: unknown; readonly name?: unknown }
  return [kind, name].find((word) => typeof word === 'string') ?? 'unknown'
}
