import { AsyncLocalStorage } from 'node:async_hooks'
import type { QueryResult } from 'pg'
import { currentIsolation, isActorKnown } from '../../core/context/acting.ts'
import { currentRequest } from '../../core/context/request-context.ts'
import { type AfterCommit, runAfterCommit } from '../../core/transactions/after-commit.ts'
import { scopeOf, withScope } from '../../core/transactions/ambient.ts'
import { watchOutboundCalls } from '../../core/transactions/outbound-calls.ts'
import { readTransactionOptions } from '../../core/transactions/transaction-settings.ts'
import type { TransactionOptions } from '../../core/transactions/transactions.ts'
import { unlessAborted } from '../../foundation/waiting.ts'
import type { DatabaseStats, PoolStats } from './database.ts'
import type { DatabaseSettings, PoolSettings } from './database-options.ts'
import { Harness } from './harness.ts'
import { mayWrite } from './may-write.ts'
import { runAlone } from './one-statement.ts'
import type { QueryOptions } from './queries.ts'
import { Replicas } from './replicas.ts'
import { assertLeavesNothing } from './session-state.ts'
import { assertSqlQuery } from './sql.ts'
import type { SqlQuery } from './sql.ts'
import { runTransaction } from './run-transaction.ts'
import type { TransactionHost } from './transaction-root.ts'
import type { TransactionScope, Work } from './transaction-scope.ts'
import { Workload } from './workload.ts'
import { closed } from '../../core/transactions/store-errors.ts'

/** The pools of a database and what they have in common: who may begin, which pool serves, when all is over. */
export class DatabaseCore {
  readonly #settings: DatabaseSettings
  readonly #pools: ReadonlyMap<string, Workload>
  readonly #default: Workload
  readonly #replicas: Replicas | undefined
  readonly #host: TransactionHost
  #harness: Harness | undefined
  readonly #warnedOf = new Set<string>()
  /** Whoever asks on behalf of a transaction that began before `close`: that one is waited for. */
  readonly #admitted = new AsyncLocalStorage<true>()
  #unfinished = 0
  #closing: Promise<void> | undefined
  #whenFinished: (() => void) | undefined

  constructor(settings: DatabaseSettings) {
    this.#settings = settings
    const pools = settings.pools.map((pool) => this.#open(pool))
    this.#default = pools[0] as Workload
    this.#pools = new Map(pools.map((pool) => [pool.name, pool]))
    this.#replicas = settings.replica && new Replicas(settings, settings.replica, this.#default)
    this.#host = { owner: this, logger: settings.logger, outboundCalls: settings.outboundCalls }
    if (settings.outboundCalls !== 'allow') watchOutboundCalls()
  }

  #open(settings: PoolSettings): Workload {
    const isLow = settings.priority === 'low'
    const isHeld = (): boolean =>
      isLow && this.#all().some((pool) => pool.settings.priority === 'high' && pool.isWaitedFor)
    return new Workload(settings, isHeld, () => {
      if (!isLow) for (const pool of this.#all()) pool.wake()
    })
  }

  #all(): Workload[] {
    return [...this.#pools.values(), ...(this.#replicas?.pools ?? [])]
  }

  get workloads(): readonly string[] {
    return [...this.#pools.keys()]
  }

  /** The pool for the class of work that the caller belongs to; the default one for classes that have none here. */
  #pool(): Workload {
    const isolation = currentIsolation()
    if (isolation === undefined) return this.#default
    const pool = this.#pools.get(isolation)
    if (pool === undefined && this.#pools.size > 1) this.#warnOfPool(isolation)
    return pool ?? this.#default
  }

  #warnOfPool(isolation: string): void {
    this.#warnOnce(
      `pool ${isolation.slice(0, 40)}`,
      `There is no pool for the class of work ${JSON.stringify(isolation)}; ${this.#default.name} serves it. There are: ${this.workloads.join(', ')}`,
    )
  }

  /** What is true once is true each time; the log has it once. */
  #warnOnce(what: string, message: string): void {
    if (this.#warnedOf.has(what) || this.#warnedOf.size >= 20) return
    this.#warnedOf.add(what)
    this.#settings.logger.warn({}, message)
  }

  #assertActor(): void {
    if (isActorKnown()) return
    this.#warnOnce(
      'actor',
      'Row-level security is asked outside of any request, so nobody asks and policies show nothing. ' +
        'Jobs say for whom they work with actAs; in an app without a route table, requestLog opens the request',
    )
  }

  async run(query: SqlQuery, options: QueryOptions, isSecured: boolean): Promise<QueryResult> {
    assertSqlQuery(query)
    if (isSecured) this.#assertActor()
    const scope = scopeOf<TransactionScope>(this)
    if (scope !== undefined) return await scope.run(query, options, isSecured)
    assertLeavesNothing(query)
    const signal = options.signal === undefined ? currentRequest()?.signal : (options.signal ?? undefined)
    if (this.#harness !== undefined) {
      return await this.#runInHarness(this.#harness, () => this.run(query, options, isSecured), {}, isSecured, signal)
    }
    const pool = this.#pool()
    return await this.#counted(async () => {
      if (options.mayLag === true && this.#replicas !== undefined && !mayWrite(query)) {
        const answer = await this.#replicas.answer(pool, (replica) =>
          runAlone(replica, query, options, isSecured, signal),
        )
        if (answer !== undefined) return answer
      }
      try {
        return await runAlone(pool, query, options, isSecured, signal)
      } finally {
        // Also when it failed: what came of a write whose answer is lost, nobody knows.
        this.#replicas?.noteStatement(query)
      }
    })
  }

  async transaction<Result>(work: Work<Result>, options: TransactionOptions, isSecured: boolean): Promise<Result> {
    const scope = scopeOf<TransactionScope>(this)
    if (scope !== undefined) return await scope.nest(work, options, isSecured)
    if (this.#harness !== undefined) {
      return await this.#runInHarness(this.#harness, work, options, isSecured, currentRequest()?.signal)
    }
    const settings = readTransactionOptions(options, this.#settings.transactionTimeoutMs)
    const run = {
      pool: this.#pool(),
      settings,
      host: this.#host,
      isSecured,
      clock: this.#settings.clock,
      requestSignal: currentRequest()?.signal,
    }
    return await this.#counted(async () => {
      const { result, callbacks } = await runTransaction(work, run).finally(() => {
        if (!settings.readOnly) this.#replicas?.noteWrite()
      })
      await this.#afterCommit(callbacks)
      return result
    })
  }

  async #afterCommit(callbacks: readonly AfterCommit[]): Promise<void> {
    if (callbacks.length === 0) return
    const work = (): Promise<void> => runAfterCommit(callbacks, this.#settings.logger)
    await this.#admitted.run(true, () => this.outsideTransaction(work))
  }

  afterCommit(callback: AfterCommit): void {
    const scope = scopeOf<TransactionScope>(this)
    if (scope === undefined) void runAfterCommit([callback], this.#settings.logger)
    else scope.afterCommit(callback)
  }

  outsideTransaction<Result>(work: () => Promise<Result>): Promise<Result> {
    // In a test there is but one transaction, and who waits for what comes after it would wait for ever.
    if (this.#harness !== undefined) return work()
    // Awaited inside: what begins when somebody waits for it would begin in the transaction.
    const outside = (): Promise<Result> => withScope(this, undefined, async () => await work())
    return scopeOf(this) === undefined ? outside() : this.#admitted.run(true, outside)
  }

  /**
   * For tests: from now on, whatever is asked of this database happens in one transaction that is never committed, and
   * transactions are parts of it. What is asked at once is done one after another.
   *
   * @returns how to end it
   */
  async openHarness(): Promise<() => Promise<void>> {
    if (this.#closing !== undefined) throw closed()
    if (this.#harness !== undefined || scopeOf(this) !== undefined) {
      throw new Error('This database is in a transaction already; end that one first')
    }
    const harness = new Harness(this.#default, this.#host)
    // Before it has begun: what is asked meanwhile waits for that.
    this.#harness = harness
    const leave = async (): Promise<void> => {
      if (this.#harness === harness) this.#harness = undefined
      await harness.end()
    }
    await harness.begin().catch(async (thrown: unknown) => {
      await leave()
      throw thrown
    })
    return leave
  }

  async #runInHarness<Result>(
    harness: Harness,
    work: Work<Result>,
    options: TransactionOptions,
    isSecured: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    return await this.#counted(async () => {
      const { result, callbacks } = await harness.transaction(work, options, isSecured, signal)
      await this.#afterCommit(callbacks)
      return result
    })
  }

  async check(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#closing !== undefined) throw closed()
    await unlessAborted(this.#default.ping(), signal)
  }

  stats(): DatabaseStats {
    const pools: Record<string, PoolStats> = {}
    const all = { total: 0, idle: 0, waiting: 0 }
    for (const pool of this.#all()) {
      const stats = pool.stats()
      pools[pool.name] = stats
      all.total += stats.total
      all.idle += stats.idle
      all.waiting += stats.waiting
    }
    return { ...all, pools }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { closeTimeoutMs } = this.#settings
    const endsAt = performance.now() + closeTimeoutMs
    this.#replicas?.stop()
    const pools = this.#all()
    await within(closeTimeoutMs, this.#finished())
    await this.#harness?.end().catch(() => {})
    for (const pool of pools) pool.refuse()
    await within(Math.max(1, endsAt - performance.now()), Promise.all(pools.map((pool) => pool.end())))
    for (const pool of pools) pool.cut()
  }

  #finished(): Promise<void> {
    if (this.#unfinished === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenFinished = resolve
    })
  }

  async #counted<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closing !== undefined && this.#admitted.getStore() === undefined) throw closed()
    this.#unfinished += 1
    try {
      return await work()
    } finally {
      this.#unfinished -= 1
      if (this.#unfinished === 0) this.#whenFinished?.()
    }
  }
}

/** Resolves with `work` or after `delayMs`, whichever comes first; a rejection counts as an end. */
async function within(delayMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, delayMs)
  })
  await Promise.race([work.catch(() => {}), timeout])
  clearTimeout(timer)
}
