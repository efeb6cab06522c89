import type { Transactions, TransactionOptions } from '../../core/transactions/transactions.ts'
import { readDatabaseOptions } from './database-options.ts'
import type { DatabaseOptions } from './database-options.ts'
import { DatabaseCore } from './database-core.ts'
import { PooledDatabase } from './pooled-database.ts'
import type { Queries } from './queries.ts'

/** Connections of one pool at this moment. */
export interface PoolStats {
  /** Open connections. */
  readonly total: number
  /** Of these, the ones nobody uses. */
  readonly idle: number
  /** Queries and transactions that wait for a connection. */
  readonly waiting: number
}

/** Connections of a {@link Database} at this moment, over all pools and for each of them. */
export interface DatabaseStats extends PoolStats {
  /** By name of the workload; replicas have names such as `interactive replica`. */
  readonly pools: Readonly<Record<string, PoolStats>>
}

/**
 * An open transaction, for those who prefer to hand it on over finding it by themselves. Good until the work it was made
 * for has ended; then every use throws.
 */
export interface Transaction extends Queries, Transactions {
  transaction<Result>(work: (tx: Transaction) => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /** The same transaction, where row-level security knows who asks; see {@link Database.rowSecured}. */
  readonly rowSecured: Transaction
}

/**
 * Pools of connections to one PostgreSQL database, one pool for each class of work. A lost connection is replaced by
 * itself; no loss ends the process.
 *
 * Whatever is asked inside of {@link transaction} belongs to it, also by code that was handed nothing. A query outside of
 * any is a transaction of its own.
 */
export interface Database extends Queries, Transactions {
  /**
   * Runs `work` and commits, or undoes all of it when `work` throws; see {@link Transactions}.
   *
   * @param work - gets the transaction too, for code that wants it in its signature
   */
  transaction<Result>(work: (tx: Transaction) => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /** Runs `work` as if no transaction were open: what it writes stays when the one around it is undone. */
  outsideTransaction<Result>(work: () => Promise<Result>): Promise<Result>
  /**
   * The same database, where row-level security knows who asks: each query and transaction carries the caller of the
   * request, or whom `actAs` named, in the settings `app.principal_id`, `app.roles` and `app.permissions`. What is asked
   * without this is asked by nobody, and policies let nobody see anything.
   */
  readonly rowSecured: Database
  /** The names of its pools, for `isolations` of `createHttp`. */
  readonly workloads: readonly string[]
  /**
   * Resolves when the database answers within `checkTimeoutMs`; for readiness. Does not stand in line with queries:
   * a busy pool is not a dead database.
   *
   * @throws {AppError} kind `unavailable` when it does not; the reason of `signal` when that is aborted first
   */
  check(signal?: AbortSignal): Promise<void>
  /** Gauges for metrics. */
  stats(): DatabaseStats
  /**
   * Takes no more queries, lets the running and waiting ones end for `closeTimeoutMs`, then cuts the rest off.
   * Later calls return the same promise. Never rejects.
   */
  close(): Promise<void>
}

/**
 * Opens no connection yet; the first query or `check` does.
 *
 * @throws {RangeError | TypeError} for an option out of its bounds
 */
export function createDatabase(options: DatabaseOptions): Database {
  return new PooledDatabase(new DatabaseCore(readDatabaseOptions(options)))
}
