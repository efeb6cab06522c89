import mongoose from 'mongoose'
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
export interface MongoPoolOptions {
  /**
   * Operations and transactions at once, 1 to 1 000, which is the number of connections to each server of the replica
   * set; two more are kept for `check` and for undoing transactions. Default 10
   */
  readonly maxConnections?: number
  /** Operations that may wait for a connection, 0 to 100 000; the next one fails at once. Default 1 000 */
  readonly maxWaiting?: number
  /** How long an operation waits for its turn. Default 3 000 */
  readonly waitQueueTimeoutMs?: number
  /** How long opening a connection may take. Default 3 000 */
  readonly connectTimeoutMs?: number
  /** How long to look for a server that can answer; in an election, for the next primary. Default 3 000 */
  readonly serverSelectionTimeoutMs?: number
  /** How long the server works on one operation (`maxTimeMS`), unless a deadline comes first. Default 10 000 */
  readonly operationTimeoutMs?: number
  /**
   * How long we wait for an answer, for when the network swallows it and the server cannot tell us; above
   * `operationTimeoutMs`. The driver asks once more after that, where this is safe. Default that plus 1 000
   */
  readonly socketTimeoutMs?: number
  /** How long a connection lies idle before it is closed. Default 30 000 */
  readonly idleTimeoutMs?: number
  /**
   * Who answers reads outside of transactions. A secondary may lag behind what was written a moment ago: good for reports,
   * wrong for what follows a write. Default `primary`
   */
  readonly readPreference?: 'primary' | 'primaryPreferred' | 'secondary' | 'secondaryPreferred' | 'nearest'
}

/** A pool for one class of work. What is left out is as the database's own pool has it. */
export interface MongoWorkloadOptions extends MongoPoolOptions {
  /** Mandatory, because it adds to what the servers have to hold. */
  readonly maxConnections: number
}

export interface MongoOptions extends MongoPoolOptions {
  /**
   * `mongodb://user:password@host:27017/database?replicaSet=rs0` or `mongodb+srv://…`, TLS as `&tls=true`. It names the
   * database. Transactions want a replica set, be it one of a single server. Timeouts belong in these options.
   */
  readonly url: string
  /** Shown in the server's log and in `currentOp`. Default `holdfast` */
  readonly applicationName?: string
  /** Pools beside `interactive`, by the name that `isolation` of routes gives. Default: none */
  readonly workloads?: Readonly<Record<string, MongoWorkloadOptions>>
  /**
   * How long a transaction may take with all its attempts, unless it says otherwise. Below the time of a route: whoever is
   * told of this one knows that nothing was saved. Default 8 000
   */
  readonly transactionTimeoutMs?: number
  /** What becomes of HTTP calls that are made inside a transaction. Default `warn` */
  readonly outboundCalls?: OutboundCalls
  /** How long `check` waits. Default 2 000 */
  readonly checkTimeoutMs?: number
  /** How long `close` waits for running operations before it cuts them off. Default 5 000 */
  readonly closeTimeoutMs?: number
  /** Told of servers that are lost and found. Default: nobody */
  readonly logger?: Logger
  readonly clock?: Clock
}

/** One pool with every default in place and every bound checked. */
export interface MongoPoolSettings extends Required<MongoPoolOptions> {
  readonly name: string
  readonly url: string
  readonly applicationName: string
  readonly checkTimeoutMs: number
  readonly logger: Logger
  readonly clock: Clock
}

/** {@link MongoOptions} with every default in place and every bound checked. */
export interface MongoSettings {
  /** The first is that of the database itself. */
  readonly pools: readonly [MongoPoolSettings, ...MongoPoolSettings[]]
  readonly transactionTimeoutMs: number
  readonly outboundCalls: OutboundCalls
  readonly closeTimeoutMs: number
  readonly logger: Logger
  readonly clock: Clock
}

/** @throws {RangeError | TypeError} for a value out of bounds, showing it, and for a URL that is none, not showing it */
export function readMongoOptions(options: MongoOptions): MongoSettings {
  const { workloads = {}, logger = silentLogger, clock = systemClock } = options
  assertUrl(options.url)
  const others = Object.entries(workloads).map(([name, workload]) => {
    assertWorkloadName(name)
    const inherited = { ...options, socketTimeoutMs: undefined, ...workload }
    return withinPart(`workloads.${name}`, () => readPool(name, inherited, options))
  })
  return {
    pools: [readPool(defaultWorkload, options, options), ...others],
    transactionTimeoutMs: milliseconds(options, 'transactionTimeoutMs', 8000),
    outboundCalls: readOutboundCalls(options.outboundCalls),
    closeTimeoutMs: milliseconds(options, 'closeTimeoutMs', 5000),
    logger,
    clock,
  }
}

/** {@link MongoPoolOptions}, of which some may be there without a value. */
type LoosePoolOptions = { readonly [Name in keyof MongoPoolOptions]: MongoPoolOptions[Name] | undefined }

function readPool(name: string, pool: LoosePoolOptions, options: MongoOptions): MongoPoolSettings {
  const { applicationName = 'holdfast', logger = silentLogger, clock = systemClock } = options
  const operationTimeoutMs = milliseconds(pool, 'operationTimeoutMs', 10_000)
  const socketTimeoutMs = pool.socketTimeoutMs ?? operationTimeoutMs + 1000
  const settings: MongoPoolSettings = {
    name,
    url: options.url,
    applicationName: nameOnServer(applicationName, name),
    maxConnections: wholeNumber('maxConnections', pool.maxConnections ?? 10, 1, 1000),
    maxWaiting: wholeNumber('maxWaiting', pool.maxWaiting ?? 1000, 0, 100_000),
    waitQueueTimeoutMs: milliseconds(pool, 'waitQueueTimeoutMs', 3000),
    connectTimeoutMs: milliseconds(pool, 'connectTimeoutMs', 3000),
    serverSelectionTimeoutMs: milliseconds(pool, 'serverSelectionTimeoutMs', 3000),
    operationTimeoutMs,
    socketTimeoutMs: wholeNumber('socketTimeoutMs', socketTimeoutMs, 1, hourMs + 1000),
    idleTimeoutMs: milliseconds(pool, 'idleTimeoutMs', 30_000),
    readPreference: readPreferenceOf(pool.readPreference ?? 'primary'),
    checkTimeoutMs: milliseconds(options, 'checkTimeoutMs', 2000),
    logger,
    clock,
  }
  if (settings.socketTimeoutMs <= operationTimeoutMs) {
    throw new RangeError(
      `socketTimeoutMs (${settings.socketTimeoutMs}) has to be above operationTimeoutMs (${operationTimeoutMs}), ` +
        'or connections are cut where the server would have ended the operation',
    )
  }
  return settings
}

const readPreferences = ['primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest'] as const

function readPreferenceOf(value: (typeof readPreferences)[number]): (typeof readPreferences)[number] {
  if (readPreferences.includes(value)) return value
  throw new TypeError(`readPreference is one of ${readPreferences.join(', ')}; received ${String(value)}`)
}

// What a URL says of these would undo a limit, or the promise that what is written stays, without a word.
const ownParameters: ReadonlySet<string> = new Set(
  (
    'connectTimeoutMS socketTimeoutMS serverSelectionTimeoutMS waitQueueTimeoutMS timeoutMS maxPoolSize minPoolSize ' +
    'maxIdleTimeMS maxConnecting readPreference readConcernLevel w wtimeoutMS journal retryWrites retryReads'
  )
    .toLowerCase()
    .split(' '),
)

/** What providers write into the URLs they hand out, and what holds anyway. */
const harmless: ReadonlySet<string> = new Set(
  'retrywrites=true retryreads=true w=majority journal=true readpreference=primary readconcernlevel=majority'.split(
    ' ',
  ),
)

// The URL holds a password, so no message here shows it.
function assertUrl(url: unknown): asserts url is string {
  if (typeof url !== 'string' || !/^mongodb(\+srv)?:\/\//i.test(url)) {
    throw new TypeError(
      'url starts with mongodb:// or mongodb+srv://, as in mongodb://user:password@host:27017/database?replicaSet=rs0',
    )
  }
  const [front = '', parameters = ''] = url.split('?')
  const doubled = doubledParameter(parameters)
  if (doubled !== undefined) {
    throw new TypeError(`url sets ${doubled}; take it out. The options say it, where it has bounds`)
  }
  if (!/^[^/]+\/\/[^/]+\/[^/]+$/.test(front)) {
    throw new TypeError('url names no database; put one behind the host, as in mongodb://host:27017/shop')
  }
  try {
    void new mongoose.mongo.MongoClient(url)
  } catch {
    // What the parser throws may hold the URL, and so the password
    throw new TypeError('url cannot be read. Percent-encode special characters of the password')
  }
}

function doubledParameter(parameters: string): string | undefined {
  return [...new URLSearchParams(parameters)].find(
    ([name, value]) => ownParameters.has(name.toLowerCase()) && !harmless.has(`${name}=${value}`.toLowerCase()),
  )?.[0]
}
