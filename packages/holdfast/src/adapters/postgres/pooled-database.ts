import type { QueryResult } from 'pg'
import type { AfterCommit } from '../../core/transactions/after-commit.ts'
import type { TransactionOptions } from '../../core/transactions/transactions.ts'
import type { Database, DatabaseStats } from './database.ts'
import type { DatabaseCore } from './database-core.ts'
import { QueryRunner } from './queries.ts'
import type { QueryOptions } from './queries.ts'
import type { SqlQuery } from './sql.ts'
import type { Work } from './transaction-scope.ts'

/** A face of a database: as whoever asks (`rowSecured`), or as nobody. */
export class PooledDatabase extends QueryRunner implements Database {
  readonly rowSecured: Database
  readonly #core: DatabaseCore
  readonly #isSecured: boolean

  constructor(core: DatabaseCore, isSecured = false) {
    super()
    this.#core = core
    this.#isSecured = isSecured
    this.rowSecured = isSecured ? this : new PooledDatabase(core, true)
  }

  get workloads(): readonly string[] {
    return this.#core.workloads
  }

  protected run(query: SqlQuery, options: QueryOptions): Promise<QueryResult> {
    return this.#core.run(query, options, this.#isSecured)
  }

  transaction<Result>(work: Work<Result>, options: TransactionOptions = {}): Promise<Result> {
    return this.#core.transaction(work, options, this.#isSecured)
  }

  afterCommit(callback: AfterCommit): void {
    this.#core.afterCommit(callback)
  }

  outsideTransaction<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#core.outsideTransaction(work)
  }

  static coreOf(database: Database): DatabaseCore {
    if (database instanceof PooledDatabase) return database.#core
    throw new TypeError('This is no database that createDatabase made')
  }

  check(signal?: AbortSignal): Promise<void> {
    return this.#core.check(signal)
  }

  stats(): DatabaseStats {
    return this.#core.stats()
  }

  close(): Promise<void> {
    return this.#core.close()
  }
}

/**
 * For tests: from now on everything happens in one transaction that is never committed.
 *
 * @returns how to end it
 */
export function openHarness(database: Database): Promise<() => Promise<void>> {
  return PooledDatabase.coreOf(database).openHarness()
}
