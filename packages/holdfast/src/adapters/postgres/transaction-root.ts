import type { QueryResult } from 'pg'
import type { OutboundCalls } from '../../core/transactions/outbound-calls.ts'
import type { TransactionSettings } from '../../core/transactions/transaction-settings.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { Connection, QueryConfig } from './connection.ts'
import {
  isAborted,
  isConnectionLoss,
  isStaleStatement,
  mayEndBetter,
  sessionSurvives,
  translateError,
} from './errors.ts'
import type { QueryOptions } from './queries.ts'
import { changesSession } from './session-state.ts'
import type { SqlQuery } from './sql.ts'
import { outcomeUnknown, usedAfterEnd } from '../../core/transactions/store-errors.ts'

/** What a transaction knows of the database it belongs to. */
export interface TransactionHost {
  /** Under whom its scopes are found. */
  readonly owner: object
  readonly logger: Logger
  readonly outboundCalls: OutboundCalls
}

const rollbackTimeoutMs = 2000

/** One attempt at a transaction: a connection from BEGIN to COMMIT or ROLLBACK, shared by all its nested parts. */
export class TransactionRoot {
  readonly host: TransactionHost
  readonly settings: TransactionSettings
  readonly #connection: Connection
  readonly #signal: AbortSignal
  #opening: Promise<boolean> | undefined = undefined
  #isOpen = false
  #isOver = false
  /** What the server refused first, so that what follows from it can say so. */
  #failure: unknown = undefined
  /** Why it cannot be committed any more, whatever the work makes of it. */
  #doom: { readonly reason: unknown; readonly mayRetry: boolean } | undefined = undefined
  /** Set when a query has ended it: whatever came after would be committed by itself. */
  #endedBy: Error | undefined = undefined

  constructor(connection: Connection, settings: TransactionSettings, host: TransactionHost, signal: AbortSignal) {
    this.#connection = connection
    this.settings = settings
    this.host = host
    this.#signal = signal
  }

  /** @throws {Error} when it has ended: its connection may be somebody else's by now */
  assertOpen(): void {
    if (this.#isOver) throw usedAfterEnd()
  }

  async send(query: SqlQuery, { constraints }: QueryOptions): Promise<QueryResult> {
    const { text } = query
    if (changesSession(text)) this.#retire()
    return await this.#watch(this.#sendIn(this.#connection.configOf(query), constraints), constraints, endsTransaction)
  }

  #retire(): void {
    this.#connection.retire()
    this.host.logger.warn(
      {},
      'A query in a transaction sets something for its whole session; its connection is closed after it. ' +
        'Use what ends with a transaction: set local, set_config(…, true), pg_advisory_xact_lock, on commit drop',
    )
  }

  /** A statement of the transaction's own. */
  async control(text: string): Promise<void> {
    await this.#watch(this.#sendIn({ text }))
  }

  /** The first statement takes BEGIN along, and those behind it wait until it stands: else they would be committed alone. */
  async #sendIn(query: QueryConfig, constraints?: QueryOptions['constraints']): Promise<QueryResult> {
    this.assertOpen()
    if (this.#endedBy !== undefined) throw this.#endedBy
    if (this.#opening === undefined) {
      const opened = this.#connection.open(beginOf(this.settings), query, this.#signal)
      this.#opening = opened.then(
        () => true,
        (thrown: unknown) => {
          // Before those hear of it who wait for it.
          this.#explain(thrown, constraints)
          return false
        },
      )
      const result = await opened
      if (result !== undefined) return result
      this.assertOpen()
    } else if (!this.#isOpen) {
      this.#isOpen = await this.#opening
      // In a transaction that failed with its first statement, as in one that failed later, nothing else is looked at.
      if (!this.#isOpen) throw this.#failure
      this.assertOpen()
    }
    return await this.#connection.send(query, this.#signal)
  }

  /** As many steps for each statement: what fails first is to be explained first. */
  async #watch(
    sent: Promise<QueryResult>,
    constraints?: QueryOptions['constraints'],
    isEnd: (result: QueryResult) => boolean = () => false,
  ): Promise<QueryResult> {
    try {
      const result = await sent
      if (isEnd(result) || (!this.#isOver && !this.#connection.isInTransaction)) throw this.#endedBySql()
      return result
    } catch (thrown) {
      throw this.#explain(thrown, constraints)
    }
  }

  #explain(thrown: unknown, constraints: QueryOptions['constraints']): unknown {
    if (this.#signal.aborted) return this.#signal.reason
    // It says only that something before it failed.
    if (isAborted(thrown)) return this.#failure ?? thrown
    const explained = translateError(thrown, constraints)
    this.#failure ??= explained
    if (isStaleStatement(thrown)) this.#connection.break()
    if (mayEndBetter(thrown)) this.#doom ??= { reason: explained, mayRetry: true }
    else if (this.#connection.isBroken) this.#doom ??= { reason: explained, mayRetry: isConnectionLoss(thrown) }
    return explained
  }

  #endedBySql(): Error {
    this.#connection.break()
    this.#endedBy ??= new Error(
      'A query ended the transaction it ran in. Leave begin, commit and rollback to `transaction`',
    )
    this.#doom ??= { reason: this.#endedBy, mayRetry: false }
    return this.#endedBy
  }

  /** Undoes what happened since a savepoint. */
  async undoPart(savepoint: string): Promise<void> {
    if (this.#isOver || this.#connection.isBroken) return
    const undone = this.control(`rollback to savepoint ${savepoint}`)
    // At once: when the reply is here, the outer part may have ended, and the savepoint with it.
    const released = this.control(`release savepoint ${savepoint}`)
    released.catch(() => {})
    await undone
    this.#failure = undefined
    await released
  }

  /** Does to a part, in the transaction of a test, what a commit would do to a transaction. */
  async commitPart(savepoint: string, { readOnly }: TransactionSettings): Promise<void> {
    if (readOnly) {
      // Nothing is lost by it, and nothing else gives back the right to write.
      await this.control(`rollback to savepoint ${savepoint}`)
    } else {
      // What is deferred until the commit is checked, and deferred again.
      this.control('savepoint hf_check').catch(() => {})
      await this.control('set constraints all immediate')
      await this.control('rollback to savepoint hf_check')
    }
    await this.control(`release savepoint ${savepoint}`)
  }

  /** @throws why it was not committed, or that nobody knows whether it was */
  async commit(): Promise<void> {
    this.#assertCommittable()
    if (this.#opening !== undefined) {
      // What nobody waited for may still be behind BEGIN.
      const isOpen = await this.#opening
      this.#assertCommittable()
      if (!isOpen) throw this.#failure
    }
    this.#isOver = true
    if (this.#opening === undefined) return
    // Without the signal: once it is asked for, a commit is not taken back.
    const { command } = await this.#connection.send({ text: 'commit' }).catch((thrown: unknown) => {
      throw this.#explainCommit(thrown)
    })
    if (command === 'COMMIT') return
    // PostgreSQL answers ROLLBACK, and no error, when a statement had failed.
    if (this.#failure !== undefined) throw this.#failure as Error
    throw new Error('The transaction was rolled back in place of being committed')
  }

  #assertCommittable(): void {
    this.#signal.throwIfAborted()
    if (this.#doom !== undefined) throw this.#doom.reason
  }

  #explainCommit(thrown: unknown): unknown {
    if (sessionSurvives(thrown) || this.settings.readOnly) return translateError(thrown)
    return outcomeUnknown(thrown)
  }

  /** Undoes all of it. Never rejects: a connection on which that fails is not used again. */
  async rollback(): Promise<void> {
    this.#isOver = true
    const connection = this.#connection
    if (this.#opening === undefined || connection.isBroken) return
    // Statements that nobody waited for would have the locks stay until they are done.
    if (connection.isBusy) connection.cancel()
    try {
      await connection.send({ text: 'rollback', query_timeout: rollbackTimeoutMs })
      if (connection.isInTransaction) connection.break()
    } catch (err) {
      connection.break()
      this.host.logger.warn(
        { err },
        'A transaction could not be rolled back; its connection is closed, which undoes it',
      )
    }
  }

  /** Whether another attempt may end better. Nothing of this one is there. */
  mayRetry(thrown: unknown): boolean {
    return this.#doom === undefined ? mayEndBetter(thrown) : this.#doom.mayRetry
  }
}

/** `commit and chain` begins another one, and `rollback to` takes back who asks; the state of the session shows neither. */
function endsTransaction({ command }: QueryResult): boolean {
  return command === 'COMMIT' || command === 'ROLLBACK'
}

function beginOf({ isolation, readOnly }: TransactionSettings): string {
  const level = isolation === undefined ? '' : ` isolation level ${isolation}`
  return `begin${level}${readOnly ? ' read only' : ''}`
}
