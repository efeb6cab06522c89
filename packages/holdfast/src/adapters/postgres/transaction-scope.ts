import type { QueryResult } from 'pg'
import { asActingNow } from '../../core/context/acting.ts'
import type { AfterCommit } from '../../core/transactions/after-commit.ts'
import { type AmbientScope, withScope } from '../../core/transactions/ambient.ts'
import { readTransactionOptions, type TransactionSettings } from '../../core/transactions/transaction-settings.ts'
import type { TransactionOptions } from '../../core/transactions/transactions.ts'
import type { Transaction } from './database.ts'
import { QueryRunner } from './queries.ts'
import type { QueryOptions } from './queries.ts'
import { currentRowAccess, nobodysRowAccess, type RowAccess } from './row-security.ts'
import { assertSqlQuery } from './sql.ts'
import type { SqlQuery } from './sql.ts'
import { usedAfterEnd } from '../../core/transactions/store-errors.ts'
import type { TransactionRoot } from './transaction-root.ts'

export type Work<Result> = (tx: Transaction) => Promise<Result>

/** A transaction, or a part of one that can be undone by itself (a savepoint). */
export class TransactionScope implements AmbientScope {
  readonly #root: TransactionRoot
  readonly #outer: TransactionScope | undefined
  readonly #depth: number
  readonly #callbacks: AfterCommit[] = []
  /** The part that is under way. Whatever else is asked here waits for it: in between it would be undone with it. */
  #part: Promise<void> | undefined = undefined
  #rowAccess: string | undefined
  #outboundCall: string | undefined = undefined
  #isOver = false
  /** What whoever began it takes for the whole transaction. */
  readonly #whole: TransactionScope
  /** What that one was asked to be. */
  readonly #settings: TransactionSettings
  readonly #isHarness: boolean

  /**
   * @param isHarness - whether it is that of a test, in which each part is a whole transaction to whoever began it
   * @param settings - what it is asked to be, where it is such a part
   */
  constructor(
    root: TransactionRoot,
    outer?: TransactionScope,
    isHarness = false,
    settings: TransactionSettings = root.settings,
  ) {
    this.#root = root
    this.#outer = outer
    this.#isHarness = isHarness
    this.#whole = outer === undefined || outer.#isHarness ? this : outer.#whole
    this.#settings = this.#whole === this ? settings : this.#whole.#settings
    this.#depth = outer === undefined ? 0 : outer.#depth + 1
    this.#rowAccess = outer === undefined ? undefined : outer.#rowAccess
  }

  /** What is to happen after the commit. Gives each of them once. */
  takeCallbacks(): readonly AfterCommit[] {
    return this.#callbacks.splice(0)
  }

  async run(query: SqlQuery, options: QueryOptions, isSecured: boolean): Promise<QueryResult> {
    assertSqlQuery(query)
    this.#assertOpen()
    // Here and in `nest`: nothing is awaited between the last look and the act, or somebody else's part would begin there.
    while (this.#part !== undefined) await this.#partEnds()
    if (isSecured) this.#identify(currentRowAccess())
    else if (this.#rowAccess !== undefined) this.#identify(nobodysRowAccess)
    return await this.#root.send(query, options)
  }

  /** Runs `work` as a part of this one. */
  async nest<Result>(work: Work<Result>, options: TransactionOptions, isSecured: boolean): Promise<Result> {
    const settings = readTransactionOptions(options, this.#settings.timeoutMs)
    if (!this.#isHarness) this.#assertAllows(settings, options)
    this.#assertOpen()
    while (this.#part !== undefined) await this.#partEnds()
    const part = new TransactionScope(this.#root, this, false, settings)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#part = promise
    try {
      const result = await part.#runAsPart(work, isSecured)
      this.#callbacks.push(...part.#callbacks)
      // What a part tells policies stays with them until the end of the whole; only undoing it takes that back.
      this.#rowAccess = part.#rowAccess
      return result
    } finally {
      this.#part = undefined
      resolve()
    }
  }

  async #runAsPart<Result>(work: Work<Result>, isSecured: boolean): Promise<Result> {
    const savepoint = `hf_${this.#depth}`
    const isWhole = this.#whole === this
    const rowAccess = this.#rowAccess
    // Not waited for: it travels with the first statement, which fails too if this does.
    this.#root.control(`savepoint ${savepoint}`).catch(() => {})
    if (isWhole && this.#settings.readOnly) this.#root.control('set transaction read only').catch(() => {})
    try {
      const result = await this.enter(work, isSecured)
      if (this.#isLeftBehind) throw usedAfterEnd()
      if (isWhole) await this.#root.commitPart(savepoint, this.#settings)
      else await this.#root.control(`release savepoint ${savepoint}`)
      if (isWhole && this.#settings.readOnly) this.#rowAccess = rowAccess
      return result
    } catch (thrown) {
      // What was thrown says more than that undoing failed too, which then dooms the whole.
      // Else it is undone already, and the savepoint may be another's by now.
      if (!this.#isLeftBehind) await this.#root.undoPart(savepoint).catch(() => {})
      throw thrown
    }
  }

  /** Runs `work` inside; afterwards nobody gets in any more. */
  async enter<Result>(work: Work<Result>, isSecured: boolean): Promise<Result> {
    try {
      // Awaited inside: what begins when somebody waits for it would begin outside.
      const result = await withScope(
        this.#root.host.owner,
        this,
        async () => await work(new TransactionView(this, isSecured)),
      )
      if (this.#part !== undefined) throw new Error('A transaction inside of another one was not waited for')
      this.#assertCalledNobody()
      return result
    } finally {
      this.#isOver = true
    }
  }

  afterCommit(callback: AfterCommit): void {
    this.#assertOpen()
    this.#callbacks.push(asActingNow(callback))
  }

  noteOutboundCall(target: string): void {
    if (!this.#isOver) this.#whole.#noteCall(target)
  }

  #noteCall(target: string): void {
    const { outboundCalls, logger } = this.#root.host
    if (this.#outboundCall !== undefined) return
    this.#outboundCall = target
    if (outboundCalls === 'warn') {
      logger.warn({ target }, 'A transaction calls another service while it holds a connection and locks')
    }
  }

  #assertCalledNobody(): void {
    if (this.#outboundCall === undefined || this.#root.host.outboundCalls !== 'refuse') return
    throw new Error(
      `A transaction called ${this.#outboundCall} while it held a connection and locks, so it is undone. ` +
        'Call before it, or after it by `afterCommit`',
    )
  }

  /** Tells policies who asks, if they do not know yet. Travels with the statement, which fails too if this does. */
  #identify({ key, query }: RowAccess): void {
    if (key === this.#rowAccess) return
    this.#rowAccess = key
    this.#root.send(query, {}).catch(() => {})
  }

  async #partEnds(): Promise<void> {
    await this.#part
    this.#assertOpen()
  }

  #assertOpen(): void {
    if (this.#hasEnded) throw usedAfterEnd()
    this.#root.assertOpen()
  }

  get #hasEnded(): boolean {
    return this.#isOver || this.#isLeftBehind
  }

  /** Whether one around it ended without waiting for it. What it asks for next would be done outside of that one. */
  get #isLeftBehind(): boolean {
    const outer = this.#outer
    return outer !== undefined && outer.#hasEnded
  }

  #assertAllows({ isolation }: TransactionSettings, { readOnly }: TransactionOptions): void {
    const own = this.#settings
    if (isolation !== undefined && rank(isolation) > rank(own.isolation)) {
      throw new Error(
        `A transaction inside of another one has its isolation, ${own.isolation ?? 'the default'}; ` +
          `ask for ${isolation} where the outermost begins`,
      )
    }
    if (own.readOnly && readOnly === false) {
      throw new Error('A transaction that writes was begun inside of one that is read only')
    }
  }
}

const levels = [undefined, 'read committed', 'repeatable read', 'serializable'] as const
const rank = (isolation: (typeof levels)[number]): number => Math.max(1, levels.indexOf(isolation))

class TransactionView extends QueryRunner implements Transaction {
  readonly #scope: TransactionScope
  readonly #isSecured: boolean

  constructor(scope: TransactionScope, isSecured: boolean) {
    super()
    this.#scope = scope
    this.#isSecured = isSecured
  }

  get rowSecured(): Transaction {
    return new TransactionView(this.#scope, true)
  }

  protected run(query: SqlQuery, options: QueryOptions): Promise<QueryResult> {
    return this.#scope.run(query, options, this.#isSecured)
  }

  transaction<Result>(work: Work<Result>, options: TransactionOptions = {}): Promise<Result> {
    return this.#scope.nest(work, options, this.#isSecured)
  }

  afterCommit(callback: AfterCommit): void {
    this.#scope.afterCommit(callback)
  }
}
