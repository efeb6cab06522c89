import pg from 'pg'
import type { OutboundCalls } from '../../core/transactions/outbound-calls.ts'
import {
  assertWorkloadName,
  defaultWorkload,
  hourMs,
  milliseconds,
  nameOnServer,
  readOutboundCalls,
  withinPart,
} from '../../core/transactions/pool-options.ts'
import { systemClock } from '../../foundation/clock.ts'
import type { Clock } from '../../foundation/clock.ts'
import { silentLogger } from '../../foundation/logger.ts'
import type { Logger } from '../../foundation/logger.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'

/**
 * How one pool connects and how long it waits. No wait is without a limit, so none can be switched off: whole
 * milliseconds from 1 to 3 600 000, unless said otherwise.
 */
export interface PoolOptions {
  /** Connections at most, 1 to 1 000. Times the number of processes, stay below `max_connections`. Default 10 */
  readonly maxConnections?: number
  /** Queries that may wait for a connection, 0 to 100 000; the next one fails at once. Default 1 000 */
  readonly maxWaiting?: number
  /** How long a query waits for a connection to be free, and how long a new one may take. Default 3 000 */
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
  /** `low` begins nothing while queries of a `high` pool wait for a connection. Default `high` */
  readonly priority?: 'high' | 'low'
}

/** A pool for one class of work. What is left out is as the database's own pool has it. */
export interface WorkloadOptions extends PoolOptions {
  /** Mandatory, because it adds to what the server has to hold. */
  readonly maxConnections: number
}

/** A copy of the database that answers reads which may lag. */
export interface ReplicaOptions {
  /** Of one server; an address that leads to several would have one measured and another one asked. */
  readonly url: string
  /**
   * How old an answer may be, milliseconds, 100 to 3 600 000; while the replica is further behind, the primary answers.
   * Default 1 000
   */
  readonly maxLagMs?: number
}

export interface DatabaseOptions extends PoolOptions {
  /** `postgres://user:password@host:5432/database`, TLS as `?sslmode=verify-full`. Timeouts belong in these options. */
  readonly url: string
  /** Shown in `pg_stat_activity`. Default `holdfast` */
  readonly applicationName?: string
  /**
   * The role whose rights connections have, in place of the one that signs in, which has to be a member of it. For row
   * security: an owner or a superuser would see everything. Not for PgBouncer in transaction mode. Default: none
   */
  readonly role?: string
  /** Pools beside `interactive`, by the name that `isolation` of routes gives. Default: none */
  readonly workloads?: Readonly<Record<string, WorkloadOptions>>
  /** Default: none, so that the primary answers everything */
  readonly replica?: ReplicaOptions
  /**
   * How long a transaction may take with all its attempts, unless it says otherwise. Below the time of a route: whoever is
   * told of this one knows that nothing was saved. Default 8 000
   */
  readonly transactionTimeoutMs?: number
  /** What becomes of HTTP calls that are made inside a transaction. Default `warn` */
  readonly outboundCalls?: OutboundCalls
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
  readonly clock?: Clock
}

/** One pool with every default in place and every bound checked. */
export interface PoolSettings extends Required<PoolOptions> {
  readonly name: string
  readonly url: string
  readonly applicationName: string
  readonly role: string | undefined
  readonly checkTimeoutMs: number
  readonly namedStatements: boolean
  readonly logger: Logger
  readonly clock: Clock
}

/** {@link DatabaseOptions} with every default in place and every bound checked. */
export interface DatabaseSettings {
  /** The first is that of the database itself. */
  readonly pools: readonly [PoolSettings, ...PoolSettings[]]
  readonly replica: Required<ReplicaOptions> | undefined
  readonly transactionTimeoutMs: number
  readonly outboundCalls: OutboundCalls
  readonly closeTimeoutMs: number
  readonly logger: Logger
  readonly clock: Clock
}

/** @throws {RangeError | TypeError} for a value out of bounds, showing it, and for a URL that is none, not showing it */
export function readDatabaseOptions(options: DatabaseOptions): DatabaseSettings {
  const { workloads = {}, logger = silentLogger, clock = systemClock } = options
  assertUrl('url', options.url)
  assertRole(options)
  const own = readPool(defaultWorkload, options, options)
  const others = Object.entries(workloads).map(([name, workload]) => {
    assertWorkloadName(name)
    const inherited = { ...options, maxConnections: Number.NaN, queryTimeoutMs: undefined, lockTimeoutMs: undefined }
    return withinPart(`workloads.${name}`, () =>
      readPool(name, { ...inherited, ...workload }, options, own.lockTimeoutMs),
    )
  })
  return {
    pools: [own, ...others],
    replica: readReplica(options.replica),
    transactionTimeoutMs: milliseconds(options, 'transactionTimeoutMs', 8000),
    outboundCalls: readOutboundCalls(options.outboundCalls),
    closeTimeoutMs: milliseconds(options, 'closeTimeoutMs', 5000),
    logger,
    clock,
  }
}

function readPool(name: string, pool: LoosePoolOptions, options: DatabaseOptions, lockTimeoutMs = 3000): PoolSettings {
  const { applicationName = 'holdfast', logger = silentLogger, clock = systemClock, priority = 'high' } = options
  const statementTimeoutMs = milliseconds(pool, 'statementTimeoutMs', 10_000)
  const settings: PoolSettings = {
    name,
    url: options.url,
    applicationName: nameOnServer(applicationName, name),
    role: options.role,
    maxConnections: wholeNumber('maxConnections', pool.maxConnections ?? 10, 1, 1000),
    maxWaiting: wholeNumber('maxWaiting', pool.maxWaiting ?? 1000, 0, 100_000),
    connectionTimeoutMs: milliseconds(pool, 'connectionTimeoutMs', 3000),
    statementTimeoutMs,
    lockTimeoutMs: milliseconds(pool, 'lockTimeoutMs', Math.min(lockTimeoutMs, statementTimeoutMs)),
    idleInTransactionTimeoutMs: milliseconds(pool, 'idleInTransactionTimeoutMs', 10_000),
    queryTimeoutMs: wholeNumber('queryTimeoutMs', pool.queryTimeoutMs ?? statementTimeoutMs + 1000, 1, hourMs + 1000),
    idleTimeoutMs: milliseconds(pool, 'idleTimeoutMs', 30_000),
    maxLifetimeSeconds: wholeNumber('maxLifetimeSeconds', pool.maxLifetimeSeconds ?? 1800, 1, 86_400),
    priority: pool.priority ?? priority,
    checkTimeoutMs: milliseconds(options, 'checkTimeoutMs', 2000),
    namedStatements: options.namedStatements ?? true,
    logger,
    clock,
  }
  if (settings.priority !== 'high' && settings.priority !== 'low') {
    throw new TypeError(`priority is high or low; received ${String(settings.priority)}`)
  }
  assertOrder(settings)
  return settings
}

/** {@link PoolOptions}, of which some may be there without a value. */
type LoosePoolOptions = { readonly [Name in keyof PoolOptions]: PoolOptions[Name] | undefined }

function readReplica(replica: ReplicaOptions | undefined): Required<ReplicaOptions> | undefined {
  if (replica === undefined) return undefined
  assertUrl('replica.url', replica.url)
  return { url: replica.url, maxLagMs: wholeNumber('replica.maxLagMs', replica.maxLagMs ?? 1000, 100, hourMs) }
}

function assertRole({ role, url }: DatabaseOptions): void {
  if (role === undefined) return
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(role)) {
    throw new TypeError(`role is made of a-z, 0-9 and _; received ${JSON.stringify(role)}`)
  }
  // It would go before ours, and the role would be forgotten without a word.
  if (parametersOf(url).has('options')) throw new TypeError('url sets options, which carry the role; take them out')
}

function assertOrder({ lockTimeoutMs, statementTimeoutMs, queryTimeoutMs }: PoolSettings): void {
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
function assertUrl(option: string, url: unknown): asserts url is string {
  if (typeof url !== 'string' || !/^postgres(ql)?:\/\//i.test(url)) {
    throw new TypeError(
      `${option} starts with postgres:// or postgresql://, as in postgres://user:password@host:5432/database`,
    )
  }
  const parameters = parametersOf(url)
  const doubled = ownParameters.find((name) => parameters.has(name))
  if (doubled !== undefined) {
    throw new TypeError(
      `${option} sets ${doubled}; take it out and set the timeout in the options, where it has bounds`,
    )
  }
  try {
    // Reads the URL, and the files of its certificates, as each connection will.
    void new pg.Client({ connectionString: url })
  } catch (cause) {
    // oxlint-disable-next-line preserve-caught-error -- what the parser throws may hold the URL, and so the password
    throw new TypeError(
      `${option} cannot be read: ${reasonOf(cause)}. Percent-encode special characters of the password`,
    )
  }
}

function parametersOf(url: string): URLSearchParams {
  return new URLSearchParams(url.split('?').slice(1).join('?'))
}

function reasonOf(cause: unknown): string {
  const { code, path } = cause as NodeJS.ErrnoException
  return code === 'ENOENT' && path !== undefined ? `there is no file ${path}` : 'its parts do not fit together'
}
