import type { Transactions } from '../core/transactions/transactions.ts'

/** What a test has written, none of it committed. */
export interface UncommittedChanges {
  /**
   * Undoes all of it; from then on the database is used as ever. Later calls return the same promise.
   *
   * @throws {Error} when the connection was lost on the way, so that what the test saw after that is worth nothing
   */
  undo(): Promise<void>
  /** The same, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * From now on, everything that this process asks of `database` happens in one transaction that is never committed, so
 * that a test leaves nothing behind and needs no database of its own. The transactions of the app are parts of it, which
 * commit, fail, check deferred constraints and run `afterCommit` as ever; statements outside of them stand alone.
 *
 * ```ts
 * let changes: UncommittedChanges
 * beforeEach(async () => void (changes = await neverCommit(database)))
 * afterEach(() => changes.undo())
 * ```
 *
 * `node:test` and Vitest both take these hooks; in Node 24 a test may write `await using changes = await
 * neverCommit(database)` as well. What is different from a database that commits:
 * - What is asked at once is served one after another; what waits for longer than 4 s fails and says why. Nothing is ever
 *   in the way of anything, nothing is tried again, and isolation levels make no difference: test such things on a
 *   database for each file (`createDatabaseTemplate`).
 * - `outsideTransaction` stays inside, and is undone with whatever is around it.
 * - Time stands still for `now()` and `current_timestamp`; `clock_timestamp()` goes on. Sequences are not taken back.
 * - A time limit or a client that leaves ends no statement, nobody is notified (`listen`), and other connections, such as
 *   those of another `createDatabase` or of a second process, see nothing.
 *
 * @param database - what `createDatabase` of `holdfast/postgres` made; its `rowSecured` will do as well
 * @throws {Error} in production, inside of a transaction, and when the changes before it are not undone yet
 * @throws {TypeError} for anything else than such a database
 */
export async function neverCommit(database: Transactions): Promise<UncommittedChanges> {
  refuseProduction()
  // Loaded on demand: whoever uses another store has no PostgreSQL driver.
  const { openHarness } = await import('../adapters/postgres/pooled-database.ts')
  const undo = await openHarness(database as Parameters<typeof openHarness>[0])
  return { undo, [Symbol.asyncDispose]: undo }
}

function refuseProduction(): void {
  if (process.env['NODE_ENV'] !== 'production') return
  throw new Error('neverCommit is for tests: in production it would lose whatever is written')
}
