import pg from 'pg'
import { silentLogger } from '../../foundation/logger.ts'
import type { Logger } from '../../foundation/logger.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'

/**
 * How a {@link Database} connects and how long it waits. No wait is without a limit, so none can be switched off:
 * whole milliseconds from 1 to 3 600 000, unless said otherwise.
 */
export interface DatabaseOptions {
  /** `postgres://user:password@host:5432/database`, TLS as `?sslmode=verify-full`. Timeouts belong in these options. */
  readonly url: string
  /** Shown in `pg_stat_activity`. Default `holdfast` */
  readonly applicationName?: string
  /** Connections at most, 1 to 1 000. Times the number of processes, stay below `max_connections`. Default 10 */
  readonly maxConnections?: number
  /** Queries that may wait for a connection, 0 to 100 000; the next one fails at once. Default 1 000 */
  readonly maxWaiting?: number
  /** How long a query waits for a connection, a free one or a new one. Default 3 000 */
  readonly connectionTimeoutMs?: number
  /** How long the server works on one statement. Default 10 000 */
  readonly statementTimeoutMs?: number
  /** How long a statement waits for one lock; not above `statementTimeoutMs`. Default 3 000 or that, if shorter */
  readonly lockTimeoutMs?: number
  /** How long a transaction may sit between two statements. Default 10 000 */
  readonly idleInTransactionTimeoutMs?: number
  /**
   * How long we wait for an answer, for when the network swallows it and the server cannot tell us; above
   * `statementTimeoutMs`. Default that plus 1 000
   */
  readonly queryTimeoutMs?: number
  /** How long a connection lies idle before it is closed. Default 30 000 */
  readonly idleTimeoutMs?: number
  /**
   * Age at which a connection is replaced, so that balancers and failovers take effect; seconds, 1 to 86 400.
   * Default 1 800
   */
  readonly maxLifetimeSeconds?: number
  /** How long `check` waits. Default 2 000 */
  readonly checkTimeoutMs?: number
  /** How long `close` waits for running queries before it cuts them off. Default 5 000 */
  readonly closeTimeoutMs?: number
  /**
   * Keeps statements prepared on each connection. Off for PgBouncer in transaction mode before 1.21; that also has to
   * list `statement_timeout, lock_timeout, idle_in_transaction_session_timeout` in `ignore_startup_parameters`.
   * Default true
   */
  readonly namedStatements?: boolean
  /** Told of lost connections. Default: nobody */
  readonly logger?: Logger
}

/** {@link DatabaseOptions} with every default in place and every bound checked. */
export type DatabaseSettings = Required<DatabaseOptions>

/** @throws {RangeError | TypeError} for a value out of bounds, showing it, and for a URL that is none, not showing it */
export function readDatabaseOptions(options: DatabaseOptions): DatabaseSettings {
  assertUrl(options.url)
  const statementTimeoutMs = milliseconds(options, 'statementTimeoutMs', 10_000)
  const settings: DatabaseSettings = {
    url: options.url,
    applicationName: options.applicationName ?? 'holdfast',
    maxConnections: wholeNumber('maxConnections', options.maxConnections ?? 10, 1, 1000),
    maxWaiting: wholeNumber('maxWaiting', options.maxWaiting ?? 1000, 0, 100_000),
    connectionTimeoutMs: milliseconds(options, 'connectionTimeoutMs', 3000),
    statementTimeoutMs,
    lockTimeoutMs: milliseconds(options, 'lockTimeoutMs', Math.min(3000, statementTimeoutMs)),
    idleInTransactionTimeoutMs: milliseconds(options, 'idleInTransactionTimeoutMs', 10_000),
    queryTimeoutMs: wholeNumber(
      'queryTimeoutMs',
      options.queryTimeoutMs ?? statementTimeoutMs + 1000,
      1,
      hourMs + 1000,
    ),
    idleTimeoutMs: milliseconds(options, 'idleTimeoutMs', 30_000),
    maxLifetimeSeconds: wholeNumber('maxLifetimeSeconds', options.maxLifetimeSeconds ?? 1800, 1, 86_400),
    checkTimeoutMs: milliseconds(options, 'checkTimeoutMs', 2000),
    closeTimeoutMs: milliseconds(options, 'closeTimeoutMs', 5000),
    namedStatements: options.namedStatements ?? true,
    logger: options.logger ?? silentLogger,
  }
  assertOrder(settings)
  return settings
}

const hourMs = 3_600_000

type TimeoutName = Extract<keyof DatabaseOptions, `${string}TimeoutMs`>

function milliseconds(options: DatabaseOptions, name: TimeoutName, byDefault: number): number {
  return wholeNumber(name, options[name] ?? byDefault, 1, hourMs)
}

function assertOrder({ lockTimeoutMs, statementTimeoutMs, queryTimeoutMs }: DatabaseSettings): void {
  if (lockTimeoutMs > statementTimeoutMs) {
    throw new RangeError(
      `lockTimeoutMs (${lockTimeoutMs}) cannot be above statementTimeoutMs (${statementTimeoutMs}): it would never come`,
    )
  }
  if (queryTimeoutMs <= statementTimeoutMs) {
    throw new RangeError(
      `queryTimeoutMs (${queryTimeoutMs}) has to be above statementTimeoutMs (${statementTimeoutMs}), ` +
        'or connections are cut where the server would have ended the statement',
    )
  }
}

// What a URL says goes before what we say: `?statement_timeout=0` would undo a limit without a word.
const ownParameters = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'query_timeout']

// The URL holds a password, so no message here shows it.
function assertUrl(url: unknown): asserts url is string {
  if (typeof url !== 'string' || !/^postgres(ql)?:\/\//i.test(url)) {
    throw new TypeError(
      'url starts with postgres:// or postgresql://, as in postgres://user:password@host:5432/database',
    )
  }
  const parameters = new URLSearchParams(url.split('?').slice(1).join('?'))
  const doubled = ownParameters.find((name) => parameters.has(name))
  if (doubled !== undefined) {
    throw new TypeError(`url sets ${doubled}; take it out and set the timeout in the options, where it has bounds`)
  }
  try {
    // Reads the URL, and the files of its certificates, as each connection will.
    void new pg.Client({ connectionString: url })
  } catch (cause) {
    // oxlint-disable-next-line preserve-caught-error -- what the parser throws may hold the URL, and so the password
    throw new TypeError(`url cannot be read: ${reasonOf(cause)}. Percent-encode special characters of the password`)
  }
}

function reasonOf(cause: unknown): string {
  const { code, path } = cause as NodeJS.ErrnoException
  return code === 'ENOENT' && path !== undefined ? `there is no file ${path}` : 'its parts do not fit together'
}
