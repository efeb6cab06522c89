import { ConflictError, ValidationError } from '../../foundation/errors.ts'
import type { AppError } from '../../foundation/errors.ts'
import { alreadyExists, busy, timedOut, unavailable } from '../../core/transactions/store-errors.ts'

/**
 * What the violation of a named constraint means to the domain:
 * `{ products_sku_key: (cause) => new ConflictError('catalog.sku_taken', 'This SKU is taken.', { cause }) }`.
 */
export type ConstraintErrors = Readonly<Record<string, (cause: unknown) => AppError>>

/**
 * Turns what the driver throws into what a service expects: a conflict, a timeout, an outage.
 * Messages name no table, host or SQL; the driver's error stays as `cause`, for the log. What it quotes of rows and
 * parameters can be read from it, but stands in no log line: such a row holds addresses and hashes.
 * Whatever is not listed in this file is a defect and comes back as it was, such as a broken query.
 *
 * @param constraints - answers for violated constraints by name; they go before the general ones
 * @returns an {@link AppError}, or `thrown` itself. Never throws on its own account
 */
export function translateError(thrown: unknown, constraints: ConstraintErrors = {}): unknown {
  const state = sqlStateOf(thrown)
  if (state === undefined) return isOutage(thrown) ? unavailable(thrown) : thrown

  for (const quoting of quotingMembers) hide(thrown as object, quoting)
  const constraint = textOf(thrown, 'constraint')
  if (constraint !== undefined && Object.hasOwn(constraints, constraint))
    return meaningOf(constraints[constraint], thrown)

  return fromSqlState(state, thrown)
}

/** One that throws its answer means the same as one that returns it. */
function meaningOf(toError: ConstraintErrors[string] | undefined, thrown: unknown): unknown {
  try {
    return toError?.(thrown)
  } catch (meant) {
    return meant
  }
}

// `Failing row contains (…)`, `Key (email)=(…)`; the parameters where `log_parameter_max_length_on_error` is set; SQL with
// its literals.
const quotingMembers = ['detail', 'where', 'internalQuery'] as const

/** Loggers write what is enumerable. */
function hide(error: object, member: string): void {
  if (textOf(error, member) === undefined) return
  try {
    Reflect.defineProperty(error, member, { enumerable: false })
  } catch {
    // A proxy that throws: not the driver's error.
  }
}

/** For a failure on the way to a connection, where whatever went wrong means that there is no database for now. */
export function translateConnectError(thrown: unknown): unknown {
  const translated = translateError(thrown)
  return translated === thrown ? unavailable(thrown) : translated
}

/** What it means when a connection could not be opened because of the role it was to take; nothing for other reasons. */
export function roleMissing(thrown: unknown, role: string | undefined): Error | undefined {
  // 22023 invalid_parameter_value: there is no such role; 42501 insufficient_privilege: it may not be taken.
  if (role === undefined || !['22023', '42501'].includes(sqlStateOf(thrown) ?? '')) return undefined
  return new Error(
    `The database does not let us act as the role ${role}. Run the migrations, which create it, and grant it to the login`,
    { cause: thrown },
  )
}

/**
 * Whether the database gave up on a transaction for reasons that may be over when it is tried again: somebody else was in
 * the way, or a statement that it had prepared went stale.
 */
export function mayEndBetter(thrown: unknown): boolean {
  for (let at = thrown, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth += 1) {
    const state = sqlStateOf(at)
    // serialization_failure, deadlock_detected
    if (state === '40001' || state === '40P01' || isStaleStatement(at)) return true
  }
  return false
}

/** Whether a statement was not looked at because one before it in the same transaction had failed. */
export function isAborted(thrown: unknown): boolean {
  return sqlStateOf(thrown) === '25P02'
}

/** Whether it is the connection that failed, and neither what was asked nor how long it was held. */
export function isConnectionLoss(thrown: unknown): boolean {
  const state = sqlStateOf(thrown)
  return state === undefined ? isOutage(thrown) : isOutageState(state)
}

/**
 * Whether the answer of the server got lost, so that nobody can tell what became of the question. An error that it sends
 * is an answer; the last words of a session may come after a commit.
 */
export function isAnswerLost(thrown: unknown): boolean {
  const state = sqlStateOf(thrown)
  return state === undefined ? isOutage(thrown) : /^(08|57P)/.test(state)
}

// SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
function fromSqlState(state: string, cause: unknown): unknown {
  switch (state) {
    case '23505': // unique_violation
    case '23P01': // exclusion_violation
      return alreadyExists(cause)
    case '23503': // foreign_key_violation
    case '23001': // restrict_violation, which PostgreSQL 18 uses for ON DELETE RESTRICT
      return new ConflictError(
        'database.reference_conflict',
        'This refers to something that does not exist, or something else still refers to it.',
        { cause },
      )
    case '22021': // character_not_in_repertoire: NUL in text
    case '22P05': // untranslatable_character: \u0000 in jsonb
      return new ValidationError('A text holds a character that cannot be stored, such as NUL.', {
        code: 'database.text_not_storable',
        cause,
      })
    case '57014': // query_canceled: statement timeout, or cancelled by somebody
    case '25P03': // idle_in_transaction_session_timeout
    case '25P04': // transaction_timeout
      return timedOut(cause)
    case '40001': // serialization_failure
    case '40P01': // deadlock_detected
    case '55P03': // lock_not_available: lock timeout
    case '53300': // too_many_connections
      return busy(cause)
    default:
      return isOutageState(state) ? unavailable(cause) : cause
  }
}

// 08 connection, 28 sign-in, 3D no such database, 53 out of resources, 57P the server shuts down, crashes or starts,
// 58 trouble with its disk.
function isOutageState(state: string): boolean {
  return /^(08|28|3D|53|57P|58)/.test(state)
}

/**
 * True when the session behind an error goes on and can serve the next query: most errors end a statement only.
 * Throwing connections away for these turns a storm of conflicts into a storm of reconnects.
 */
export function sessionSurvives(thrown: unknown): boolean {
  const state = sqlStateOf(thrown)
  return state !== undefined && !isOutageState(state) && !/^(25P03|25P04|F0|XX)/.test(state)
}

/**
 * True when a prepared statement is no longer what the server has: its result changed with the schema, or a pooler in
 * between moved us to another session. Nothing has run then, so running it unnamed is safe.
 */
export function isStaleStatement(thrown: unknown): boolean {
  const state = sqlStateOf(thrown)
  if (state === '26000' || state === '42P05') return true
  return state === '0A000' && textOf(thrown, 'routine') === 'RevalidateCachedQuery'
}

const outageCodes: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

// pg 8 and pg-pool 3 have no codes for these.
const outageMessages: ReadonlySet<string> = new Set([
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'timeout expired',
])

function isOutage(thrown: unknown): boolean {
  return outageCodes.has(textOf(thrown, 'code') ?? '') || outageMessages.has(textOf(thrown, 'message') ?? '')
}

/** The SQLSTATE of an error that the server sent; its `severity` tells it from a system error such as `EPIPE`. */
function sqlStateOf(thrown: unknown): string | undefined {
  const code = textOf(thrown, 'code')
  return code?.length === 5 && textOf(thrown, 'severity') !== undefined ? code : undefined
}

function textOf(thrown: unknown, property: string): string | undefined {
  try {
    const value: unknown = (thrown as Readonly<Record<string, unknown>>)[property]
    return typeof value === 'string' ? value : undefined
  } catch {
    // null, a proxy or a getter that throws: not the driver's error.
    return undefined
  }
}
