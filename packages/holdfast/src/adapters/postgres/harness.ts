import type { AfterCommit } from '../../core/transactions/after-commit.ts'
import { readTransactionOptions } from '../../core/transactions/transaction-settings.ts'
import type { TransactionOptions } from '../../core/transactions/transactions.ts'
import { systemClock } from '../../foundation/clock.ts'
import { Permits } from '../../foundation/permits.ts'
import type { Connection } from './connection.ts'
import { type TransactionHost, TransactionRoot } from './transaction-root.ts'
import { TransactionScope, type Work } from './transaction-scope.ts'
import type { Workload } from './workload.ts'

// Shorter than the 5 s after which Vitest gives a test up, so that the test fails with the reason.
const waitMs = 4000

/**
 * The one transaction in which everything happens that a test asks of a database. It is never committed. What is asked
 * at once is done one after another, and each of it is, to whoever asks, a transaction of its own.
 */
export class Harness {
  readonly #pool: Workload
  readonly #host: TransactionHost
  readonly #line = new Permits({
    maxTaken: 1,
    maxWaiting: Number.POSITIVE_INFINITY,
    waitMs,
    // That of the database may stand still in a test.
    clock: systemClock,
    refusal: waitedTooLong,
  })
  #opened:
    | { readonly root: TransactionRoot; readonly connection: Connection; readonly scope: TransactionScope }
    | undefined
  #ended: Promise<void> | undefined

  constructor(pool: Workload, host: TransactionHost) {
    this.#pool = pool
    this.#host = host
  }

  /** @throws {AppError} kind `unavailable` when there is no connection */
  async begin(): Promise<void> {
    await this.#line.run(async () => {
      const connection = await this.#pool.take(undefined)
      const settings = readTransactionOptions({ timeoutMs: 3_600_000 }, 3_600_000)
      const root = new TransactionRoot(connection, settings, this.#host, new AbortController().signal)
      try {
        // Somebody may be looking at a breakpoint.
        await root.control('set local idle_in_transaction_session_timeout = 0')
      } catch (thrown) {
        await root.rollback()
        this.#pool.release(connection)
        throw thrown
      }
      this.#opened = { root, connection, scope: new TransactionScope(root, undefined, true) }
    })
  }

  /** Runs `work` to what it takes for its commit. */
  async transaction<Result>(
    work: Work<Result>,
    options: TransactionOptions,
    isSecured: boolean,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly result: Result; readonly callbacks: readonly AfterCommit[] }> {
    return await this.#line.run(async () => {
      if (this.#opened === undefined || this.#ended !== undefined) throw testIsOver()
      const { scope } = this.#opened
      const result = await scope.nest(work, options, isSecured)
      return { result, callbacks: scope.takeCallbacks() }
    }, signal)
  }

  /**
   * Undoes everything. What is still under way fails.
   *
   * @throws {Error} when the connection was lost on the way: what the test saw after that is worth nothing
   */
  end(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #end(): Promise<void> {
    if (this.#opened === undefined) return
    const { root, connection } = this.#opened
    const wasLost = connection.isBroken
    await root.rollback()
    this.#pool.release(connection)
    if (wasLost) throw connectionLost()
  }
}

function waitedTooLong(): Error {
  return new Error(
    `This waited ${waitMs} ms for another transaction of the same test, and there one is served at a time. Does that one ` +
      'wait for this one, asked by an HTTP call or by something that was not started inside of it?',
  )
}

function testIsOver(): Error {
  return new Error('The test is over in whose transaction this was asked; let it wait for everything that it starts')
}

function connectionLost(): Error {
  return new Error(
    'The connection that held the transaction of this test was lost, or a query committed behind its back. ' +
      'Whatever was asked after that failed, or stands in the database',
  )
}
