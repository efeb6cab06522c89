import type { QueryResult } from 'pg'
import type { ConstraintErrors } from './errors.ts'
import { mapMaybeOne, mapOne, mapRows } from '../../foundation/row-mapper.ts'
import type { Row, RowMapper } from '../../foundation/row-mapper.ts'
import type { SqlQuery } from './sql.ts'

export interface QueryOptions {
  /** What the violation of a constraint, named as in the migrations, means to the domain. */
  readonly constraints?: ConstraintErrors
  /**
   * Ends the statement on the server when it aborts; the call then rejects with its reason. Default: the signal of the
   * current request, which aborts at its deadline and when its client leaves. `null`: nothing ends it but its timeout,
   * for what has to be written even so. In a transaction that of the transaction goes before it.
   */
  readonly signal?: AbortSignal | null
  /**
   * A replica may answer, so that what it says may be `maxLagMs` old. The primary does in a transaction, for a session
   * that has written just now, for a statement that may write, and while no replica is good. A function that writes and
   * is called by a `select` is not seen: call it in a transaction, which counts as a write. Default false
   */
  readonly mayLag?: boolean
}

/**
 * What may be asked of PostgreSQL, in a transaction or outside of one: queries of the `sql` tag and nothing else.
 *
 * Every query may reject with
 * - `AppError` kind `conflict`: a unique, exclusion or foreign-key constraint; see {@link QueryOptions}
 * - `AppError` kind `timeout`: the statement ran into its timeout
 * - `AppError` kind `unavailable`: no connection, a lost one, a lock not given in time, a deadlock. With code
 *   `database.outcome_unknown` the connection was lost before a statement outside of any transaction, which may have
 *   written, was answered: look before you repeat it. A `select` counts as a read, whatever its functions do
 * - `AppError` kind `invalid`: a text that PostgreSQL cannot store, such as one with NUL
 * - the reason of the signal that ended it
 * - `TypeError`: the query was not made by the `sql` tag
 * - the driver's error, for anything else: a defect
 */
export interface Queries {
  /** All rows, as they come. */
  query(query: SqlQuery, options?: QueryOptions): Promise<Row[]>
  /** All rows, each made into an item. */
  many<Item, FromRow>(query: SqlQuery, toItem: RowMapper<Item, FromRow>, options?: QueryOptions): Promise<Item[]>
  /**
   * The one row there has to be, such as that of `insert … returning`.
   * For what may be missing use {@link maybeOne} and throw a NotFoundError that says what is missing.
   *
   * @throws {Error} when there are no rows or more than one: a defect of the query
   */
  one<Item, FromRow>(query: SqlQuery, toItem: RowMapper<Item, FromRow>, options?: QueryOptions): Promise<Item>
  /**
   * The row there may be.
   *
   * @throws {Error} when there is more than one: a defect of the query
   */
  maybeOne<Item, FromRow>(
    query: SqlQuery,
    toItem: RowMapper<Item, FromRow>,
    options?: QueryOptions,
  ): Promise<Item | undefined>
  /** Runs a statement and tells how many rows it changed. */
  execute(query: SqlQuery, options?: QueryOptions): Promise<number>
}

/** Makes items of whatever `run` brings back. */
export abstract class QueryRunner implements Queries {
  protected abstract run(query: SqlQuery, options: QueryOptions): Promise<QueryResult>

  async query(query: SqlQuery, options: QueryOptions = {}): Promise<Row[]> {
    const result = await this.run(query, options)
    return result.rows as Row[]
  }

  async many<Item, FromRow>(
    query: SqlQuery,
    toItem: RowMapper<Item, FromRow>,
    options: QueryOptions = {},
  ): Promise<Item[]> {
    const result = await this.run(query, options)
    return await mapRows(result.rows, toItem)
  }

  async one<Item, FromRow>(
    query: SqlQuery,
    toItem: RowMapper<Item, FromRow>,
    options: QueryOptions = {},
  ): Promise<Item> {
    const result = await this.run(query, options)
    return await mapOne(result.rows, toItem)
  }

  async maybeOne<Item, FromRow>(
    query: SqlQuery,
    toItem: RowMapper<Item, FromRow>,
    options: QueryOptions = {},
  ): Promise<Item | undefined> {
    const result = await this.run(query, options)
    return await mapMaybeOne(result.rows, toItem)
  }

  async execute(query: SqlQuery, options: QueryOptions = {}): Promise<number> {
    const result = await this.run(query, options)
    return result.rowCount ?? 0
  }

  /** The driver's whole result, for query builders that join a database. */
  static resultOf(runner: QueryRunner, query: SqlQuery, options: QueryOptions): Promise<QueryResult> {
    return runner.run(query, options)
  }
}
