/**
 * What a transaction may see of others that run at the same time. PostgreSQL has all three and takes `read committed`
 * by default; MongoDB has `repeatable read` (its snapshots), takes it for the weaker one too and refuses `serializable`.
 */
export type IsolationLevel = 'read committed' | 'repeatable read' | 'serializable'

export interface TransactionOptions {
  /** Default: that of the database. */
  readonly isolation?: IsolationLevel
  /** The database refuses writes. Default false */
  readonly readOnly?: boolean
  /**
   * How often the work is run again after the database gave up on it for the sake of another transaction, or lost the
   * connection before anything was committed; 0 to 10. Default 3. In between it waits for a random moment that grows.
   */
  readonly retries?: number
  /** Milliseconds for all attempts together, 1 to 3 600 000. Default: the database's `transactionTimeoutMs` */
  readonly timeoutMs?: number
}

/**
 * All or nothing, whatever the store: what services need of a database to write more than one thing.
 * Everything that `work` and what it calls ask of the same database happens inside, without being handed anything.
 */
export interface Transactions {
  /**
   * Runs `work` and commits, or undoes all of it when `work` throws. Inside another transaction it is a part of that one
   * which can be undone by itself.
   *
   * `work` may run more than once: it changes nothing but the database, and calls nobody over the network.
   *
   * @throws what `work` throws
   * @throws {AppError} kind `unavailable`: every attempt was in the way of others, or the connection was lost. With code
   *   `database.outcome_unknown` it was lost while committing: read whether it is there before you repeat it
   * @throws {AppError} kind `timeout`: `timeoutMs` are over, and nothing was committed
   */
  transaction<Result>(work: () => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /**
   * Runs `callback` once the outermost transaction is committed, in the order of asking, and never when it is undone; at
   * once outside of any. What it throws is logged and changes nothing: what is committed stays.
   */
  afterCommit(callback: () => void | Promise<void>): void
}
