import type mongoose from 'mongoose'
import { asActingNow } from '../../core/context/acting.ts'
import type { AfterCommit } from '../../core/transactions/after-commit.ts'
import { type AmbientScope, withScope } from '../../core/transactions/ambient.ts'
import type { OutboundCalls } from '../../core/transactions/outbound-calls.ts'
import { retrying } from '../../core/transactions/retry.ts'
import type { TransactionSettings } from '../../core/transactions/transaction-settings.ts'
import type { Logger } from '../../foundation/logger.ts'
import { unlessAborted, within } from '../../foundation/waiting.ts'
import { currentCallOptions } from './call-options.ts'
import type { MongoPoolSettings } from './database-options.ts'
import { isCommitOutcomeUnknown, isConnectionLoss, mayEndBetter, redacted, translateMongoError } from './errors.ts'
import type { IndexErrors } from './errors.ts'
import type { GivenOptions, Job, Route } from './operations.ts'
import { timeFor } from './pool-route.ts'
import { outcomeUnknown, unavailable, usedAfterEnd } from '../../core/transactions/store-errors.ts'

/** What a transaction knows of the database it belongs to. */
export interface TransactionHost {
  /** Under whom its scopes are found. */
  readonly owner: object
  readonly logger: Logger
  readonly outboundCalls: OutboundCalls
}

/** Until when a transaction may take. */
export interface Deadline {
  /** Aborts at the deadline, and when the client of the request has gone. */
  readonly signal: AbortSignal
  remainingMs(): number
}

const undoTimeoutMs = 2000
const commitRetries = 3

/** One attempt at a transaction: a session from its first operation to commitTransaction or abortTransaction. */
export class TransactionAttempt implements AmbientScope, Route {
  readonly callbacks: AfterCommit[] = []
  readonly settings: TransactionSettings
  readonly #client: mongoose.mongo.MongoClient
  readonly #pool: MongoPoolSettings
  readonly #host: TransactionHost
  readonly #deadline: Deadline
  readonly #session: mongoose.mongo.ClientSession
  /** Ends what is under way when the attempt does. */
  readonly #end = new AbortController()
  readonly #signal: AbortSignal
  /** Resolves when nothing is under way. A session takes one operation at a time; what comes meanwhile waits for it. */
  #turn: Promise<void> = Promise.resolve()
  /** How many operations have their turn or wait for it. */
  #underWay = 0
  #isOver = false
  #committing: Promise<void> | undefined
  /** Why it cannot be committed any more, whatever the work makes of it. */
  #doom: { readonly reason: unknown; readonly mayRetry: boolean } | undefined
  #outboundCall: string | undefined

  constructor(
    client: mongoose.mongo.MongoClient,
    pool: MongoPoolSettings,
    settings: TransactionSettings,
    host: TransactionHost,
    deadline: Deadline,
  ) {
    this.#client = client
    this.#pool = pool
    this.settings = settings
    this.#host = host
    this.#deadline = deadline
    this.#signal = AbortSignal.any([deadline.signal, this.#end.signal])
    this.#session = client.startSession()
    this.#session.startTransaction({
      readConcern: { level: 'snapshot' },
      writeConcern: { w: 'majority', wtimeoutMS: pool.operationTimeoutMs },
      readPreference: 'primary',
      maxCommitTimeMS: pool.operationTimeoutMs,
    })
  }

  /** Runs `work` inside, and commits. Nothing of it is there when this rejects, unless the outcome is unknown. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      const result = await unlessAborted(this.#enter(work), this.#deadline.signal)
      // What nobody waited for was asked for inside, so it is a part of it. Looked at up to the moment of the commit: an
      // operation that came between the two would be sent beside it.
      while (this.#underWay > 0) await unlessAborted(this.#turn, this.#deadline.signal)
      await this.#commit()
      return result
    } finally {
      await this.#close()
    }
  }

  // Awaited inside: a query of Mongoose is sent when somebody waits for it, and goes where that one stands.
  async #enter<Result>(work: () => Promise<Result>): Promise<Result> {
    return await withScope(this.#host.owner, this, async () => await work())
  }

  /** Runs `work` as a part of it. MongoDB has no savepoints: when a part fails, all of it is undone. */
  async nest<Result>(work: () => Promise<Result>, { readOnly }: TransactionSettings): Promise<Result> {
    this.#assertOpen()
    if (this.settings.readOnly && !readOnly) {
      throw new Error('A transaction that writes was begun inside of one that is read only')
    }
    try {
      return await work()
    } catch (thrown) {
      if (this.#doom?.mayRetry !== true) this.#doom = { reason: partFailed(thrown), mayRetry: false }
      throw thrown
    }
  }

  async ask<Result>(given: GivenOptions, writes: boolean, job: Job<Result>): Promise<Result> {
    this.#assertOpen()
    if (writes && this.settings.readOnly) {
      throw new Error('A transaction that is read only was asked to write. Leave out `readOnly`')
    }
    const { constraints } = currentCallOptions()
    const before = this.#turn
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#turn = promise
    this.#underWay += 1
    try {
      await before
      return await this.#send(given, job, constraints)
    } finally {
      this.#underWay -= 1
      resolve()
    }
  }

  async #send<Result>(given: GivenOptions, job: Job<Result>, constraints: IndexErrors | undefined): Promise<Result> {
    this.#assertOpen()
    this.#signal.throwIfAborted()
    // It would say only that something before it failed.
    if (this.#doom !== undefined) throw this.#doom.reason
    try {
      return await job(this.#client.db(), {
        maxTimeMS: timeFor(given, this.#pool.operationTimeoutMs, this.#deadline.remainingMs()),
        signal: this.#signal,
        session: this.#session,
        readPreference: 'primary',
        readConcern: undefined,
        writeConcern: undefined,
      })
    } catch (thrown) {
      throw this.#explain(thrown, constraints)
    }
  }

  // The server undoes a transaction at the first operation that fails; what is asked of it later it does not know.
  #explain(thrown: unknown, constraints: IndexErrors | undefined): unknown {
    if (this.#signal.aborted) return this.#signal.reason
    const reason = translateMongoError(thrown, constraints)
    this.#doom ??= { reason, mayRetry: mayEndBetter(thrown) || isConnectionLoss(thrown) }
    return reason
  }

  afterCommit(callback: AfterCommit): void {
    this.#assertOpen()
    this.callbacks.push(asActingNow(callback))
  }

  /** Called for HTTP calls inside of it. */
  noteOutboundCall(target: string): void {
    const { outboundCalls, logger } = this.#host
    if (this.#isOver || outboundCalls === 'allow' || this.#outboundCall !== undefined) return
    this.#outboundCall = target
    if (outboundCalls === 'warn') {
      logger.warn({ target }, 'A transaction calls another service while it keeps others from what it has written')
      return
    }
    const reason = new Error(
      `A transaction called ${target} while it kept others from what it had written, so it is undone. ` +
        'Call before it, or after it by `afterCommit`',
    )
    this.#doom ??= { reason, mayRetry: false }
  }

  /** @throws why it was not committed, or that nobody knows whether it was */
  async #commit(): Promise<void> {
    this.#deadline.signal.throwIfAborted()
    if (this.#doom !== undefined) throw this.#doom.reason
    this.#isOver = true
    const { clock, socketTimeoutMs } = this.#pool
    this.#committing = retrying(() => this.#session.commitTransaction(), {
      retries: commitRetries,
      mayRetry: (thrown) => isCommitOutcomeUnknown(thrown) && !mayEndBetter(thrown),
      clock,
      signal: this.#end.signal,
    })
    try {
      // Not ended by the deadline: once it is asked for, a commit is not taken back.
      await within(2 * socketTimeoutMs, clock, this.#committing, () => new Error('The commit is not answered'))
    } catch (thrown) {
      throw this.#explainCommit(thrown)
    }
  }

  #explainCommit(thrown: unknown): unknown {
    if (mayEndBetter(thrown)) {
      const reason = translateMongoError(thrown)
      this.#doom = { reason, mayRetry: true }
      return reason
    }
    if (!isCommitOutcomeUnknown(thrown)) return translateMongoError(thrown)
    return this.settings.readOnly ? unavailable(redacted(thrown)) : outcomeUnknown(redacted(thrown))
  }

  /** Undoes what is not committed. Never rejects: what we cannot tell the server, it finds out after a while. */
  async #close(): Promise<void> {
    this.#isOver = true
    this.#end.abort(usedAfterEnd())
    const unheard = new Error('The server does not answer')
    await within(undoTimeoutMs, this.#pool.clock, this.#endSession(), () => unheard).catch((err: unknown) => {
      this.#host.logger.warn(
        { err },
        'A transaction could not be undone; the server does so when it finds it abandoned',
      )
    })
  }

  /** Sends abortTransaction, if something was asked and not committed. */
  async #endSession(): Promise<void> {
    // Nothing comes after it: it is over.
    await this.#turn
    await this.#committing?.catch(() => {})
    await this.#session.endSession()
  }

  /** Whether another attempt may end better. Nothing of this one is there. */
  mayRetry(thrown: unknown): boolean {
    return this.#doom === undefined ? mayEndBetter(thrown) : this.#doom.mayRetry
  }

  #assertOpen(): void {
    if (this.#isOver) throw usedAfterEnd()
  }
}

function partFailed(cause: unknown): Error {
  return new Error(
    'A transaction inside of another one failed, and what it threw was caught. MongoDB cannot undo a part, so all of it ' +
      'is undone. Let the failure through, or leave out the inner transaction',
    { cause },
  )
}
