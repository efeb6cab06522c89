import type { Schema } from 'mongoose'
import type { TransactionOptions, Transactions } from '../../core/transactions/transactions.ts'
import type { MongoOptions } from './database-options.ts'
import { readMongoOptions } from './database-options.ts'
import type { ModelOf } from './models.ts'
import { PooledMongo } from './pooled-mongo.ts'
import type { MongoQueries } from './queries.ts'

/** Connections of one pool at this moment, to all servers of the replica set. */
export interface MongoPoolStats {
  /** Open connections. */
  readonly total: number
  /** Of these, the ones nobody uses. */
  readonly idle: number
  /** Operations and transactions that wait for their turn. */
  readonly waiting: number
}

/** Connections of a {@link MongoDatabase} at this moment, over all pools and for each of them. */
export interface MongoStats extends MongoPoolStats {
  /** By name of the workload. */
  readonly pools: Readonly<Record<string, MongoPoolStats>>
}

/**
 * One MongoDB database: a pool of connections for each class of work, and the models that repositories ask. A lost
 * connection is replaced by itself, a new primary is found; no loss ends the process.
 *
 * Whatever is asked of a model inside of {@link transaction} belongs to it, also by code that was handed nothing, and by
 * whatever door: queries, documents, cursors, bulk writes. An operation outside of any is atomic by itself.
 */
export interface MongoDatabase extends MongoQueries, Transactions {
  /**
   * Runs `work` and commits, or undoes all of it when `work` throws; see {@link Transactions}.
   *
   * Sees the database as it was when it began (`repeatable read`). Operations that `work` asks for at the same time run one
   * after another, because a session takes one at a time. An operation that fails has the server undo everything, so
   * nothing can be committed after it, caught or not; and there are no savepoints, so the same holds for a transaction
   * inside of another one.
   *
   * @throws {TypeError} for `isolation: 'serializable'`: MongoDB has no such thing
   * @throws {Error} when the server belongs to no replica set
   */
  transaction<Result>(work: () => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /** Runs `work` as if no transaction were open: what it writes stays when the one around it is undone. */
  outsideTransaction<Result>(work: () => Promise<Result>): Promise<Result>
  /**
   * The model of one collection, as Mongoose has it, with nothing left to chance: fields that the schema does not know are
   * errors (`strict: 'throw'`), a document that somebody else saved meanwhile is a conflict (`optimisticConcurrency`),
   * nothing is created or indexed on its own, and nothing waits for a connection that may never come.
   * Timeouts, the signal of the request and the pool of its class of work come by themselves. The same schema gives the
   * same model, however often it is asked for.
   *
   * @param name - singular, as in `Order`; the collection is its plural, `orders`, unless the schema names one
   * @throws {TypeError} when another schema has that name
   */
  model<ModelSchema extends Schema>(name: string, schema: ModelSchema): ModelOf<ModelSchema>
  /** The names of its pools, for `isolations` of `createHttp`. */
  readonly workloads: readonly string[]
  /**
   * Resolves when the primary answers within `checkTimeoutMs`; for readiness. Does not stand in line with operations:
   * a busy pool is not a dead database.
   *
   * @throws {AppError} kind `unavailable` when it does not; the reason of `signal` when that is aborted first
   */
  check(signal?: AbortSignal): Promise<void>
  /** Gauges for metrics. */
  stats(): MongoStats
  /**
   * Takes no more operations, lets the running and waiting ones end for `closeTimeoutMs`, then cuts the rest off.
   * Later calls return the same promise. Never rejects.
   */
  close(): Promise<void>
}

/**
 * Opens no connection yet; the first operation or `check` does. Does not touch what `import mongoose` gives.
 *
 * @throws {RangeError | TypeError} for an option out of its bounds
 */
export function createMongo(options: MongoOptions): MongoDatabase {
  return new PooledMongo(readMongoOptions(options))
}
