import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import type {
  AbortableOperationOptions,
  CompiledQuery,
  DatabaseConnection,
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  KyselyPlugin,
  QueryCompiler,
  QueryResult,
} from 'kysely'
import type { ConstraintErrors } from './errors.ts'
import { QueryRunner } from './queries.ts'
import type { Queries, QueryOptions } from './queries.ts'
import { fromCompiled } from './sql-query.ts'

export interface KyselyOptions {
  readonly plugins?: readonly KyselyPlugin[]
  /** What the violation of a constraint means to the domain, as in {@link QueryOptions}. */
  readonly constraints?: ConstraintErrors
  /** A replica may answer, as in {@link QueryOptions}. Default false */
  readonly mayLag?: boolean
}

/**
 * Kysely over a database of `createDatabase`, for queries whose shape is decided at run time. It has no connections of
 * its own: what it asks runs in the same pools and the same ambient transaction, under the same timeouts, ends when the
 * request does, rejects with the same errors and follows the same rules for values. Columns become values as they do in
 * `database.query`: `numeric` and `date` are texts, `bigint` is a number.
 *
 * Transactions are those of the database: `database.transaction(work)`, which Kysely joins. Its own, its `connection()`
 * and its streams are refused. `destroy()` closes nothing that the database owns.
 *
 * @param queries - a database, its `rowSecured`, or a transaction
 * @throws {TypeError} for anything else
 * @see https://kysely.dev
 */
export function createKysely<DB>(queries: Queries, options: KyselyOptions = {}): Kysely<DB> {
  if (!(queries instanceof QueryRunner)) {
    throw new TypeError('createKysely takes a database of createDatabase, or a transaction of one')
  }
  const { plugins = [], ...defaults } = options
  return new JoiningKysely<DB>({ dialect: new JoiningDialect(queries, defaults), plugins: [...plugins] })
}

// What `withPlugin` and its like make is Kysely's own class again; there the driver refuses.
class JoiningKysely<DB> extends Kysely<DB> {
  override transaction(): never {
    throw refusal('transaction()')
  }

  override startTransaction(): never {
    throw refusal('startTransaction()')
  }

  override connection(): never {
    throw refusal('connection()')
  }
}

class JoiningDialect implements Dialect {
  readonly #queries: QueryRunner
  readonly #defaults: QueryOptions

  constructor(queries: QueryRunner, defaults: QueryOptions) {
    this.#queries = queries
    this.#defaults = defaults
  }

  createDriver(): Driver {
    return new JoiningDriver(this.#queries, this.#defaults)
  }

  createQueryCompiler(): QueryCompiler {
    return new PostgresQueryCompiler()
  }

  createAdapter(): DialectAdapter {
    return new PostgresAdapter()
  }

  createIntrospector(kysely: Kysely<unknown>): DatabaseIntrospector {
    return new PostgresIntrospector(kysely)
  }
}

class JoiningDriver implements Driver {
  readonly #queries: QueryRunner
  readonly #defaults: QueryOptions

  constructor(queries: QueryRunner, defaults: QueryOptions) {
    this.#queries = queries
    this.#defaults = defaults
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return new OneQuery(this.#queries, this.#defaults)
  }

  async beginTransaction(): Promise<void> {
    throw refusal('transaction()')
  }

  async commitTransaction(): Promise<void> {
    throw refusal('transaction()')
  }

  async rollbackTransaction(): Promise<void> {
    throw refusal('transaction()')
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

/** What Kysely takes for a connection. Good for one query: which connection the next one gets is up to the database. */
class OneQuery implements DatabaseConnection {
  readonly #queries: QueryRunner
  readonly #defaults: QueryOptions
  #isUsed = false

  constructor(queries: QueryRunner, defaults: QueryOptions) {
    this.#queries = queries
    this.#defaults = defaults
  }

  async executeQuery<Result>(
    { sql: text, parameters }: CompiledQuery,
    { signal }: AbortableOperationOptions = {},
  ): Promise<QueryResult<Result>> {
    if (this.#isUsed) throw refusal('connection()')
    this.#isUsed = true
    const options = signal === undefined ? this.#defaults : { ...this.#defaults, signal }
    const { command, rowCount, rows } = await QueryRunner.resultOf(
      this.#queries,
      fromCompiled(text, parameters),
      options,
    )
    return writes.has(command) ? { rows, numAffectedRows: BigInt(rowCount ?? 0) } : { rows }
  }

  // The database ends a statement whose signal aborts; for Kysely's `cancel query` there is nothing left to do.
  async cancelQuery(): Promise<void> {}

  streamQuery(): never {
    throw refusal('stream()')
  }
}

const writes: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

function refusal(method: string): TypeError {
  if (method === 'stream()') return new TypeError('Kysely cannot stream here; read in pages, see keyset()')
  return new TypeError(`Use database.transaction(work) instead of Kysely's ${method}; Kysely joins it`)
}
