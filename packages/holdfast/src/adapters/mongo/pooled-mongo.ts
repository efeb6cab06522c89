import type { Schema } from 'mongoose'
import { currentIsolation } from '../../core/context/acting.ts'
import { currentRequest } from '../../core/context/request-context.ts'
import { runAfterCommit } from '../../core/transactions/after-commit.ts'
import type { AfterCommit } from '../../core/transactions/after-commit.ts'
import { scopeOf, withScope } from '../../core/transactions/ambient.ts'
import { watchOutboundCalls } from '../../core/transactions/outbound-calls.ts'
import { retrying } from '../../core/transactions/retry.ts'
import { readTransactionOptions } from '../../core/transactions/transaction-settings.ts'
import type { TransactionSettings } from '../../core/transactions/transaction-settings.ts'
import type { TransactionOptions } from '../../core/transactions/transactions.ts'
import type { Timer } from '../../foundation/clock.ts'
import { unlessAborted, within } from '../../foundation/waiting.ts'
import type { MongoDatabase, MongoStats } from './database.ts'
import type { MongoSettings } from './database-options.ts'
import { translateMongoError } from './errors.ts'
import type { Route } from './operations.ts'
import { Models } from './models.ts'
import type { ModelOf } from './models.ts'
import { PoolRoute } from './pool-route.ts'
import { QueryRunner } from './queries.ts'
import { TransactionAttempt } from './transaction-attempt.ts'
import type { Deadline, TransactionHost } from './transaction-attempt.ts'
import { Workload } from './workload.ts'
import { tookTooLong, unavailable } from '../../core/transactions/store-errors.ts'

export class PooledMongo extends QueryRunner implements MongoDatabase {
  readonly #settings: MongoSettings
  readonly #pools: ReadonlyMap<string, Workload>
  readonly #interactive: Workload
  readonly #models: Models
  readonly #host: TransactionHost
  #closing: Promise<void> | undefined

  constructor(settings: MongoSettings) {
    super()
    this.#settings = settings
    const [own, ...others] = settings.pools
    this.#interactive = new Workload(own)
    const pools = [this.#interactive, ...others.map((pool) => new Workload(pool))]
    this.#pools = new Map(pools.map((pool) => [pool.name, pool]))
    this.#models = new Models({
      route: () => this.#route(),
      routeOutside: (method) => this.#routeOutside(method),
    })
    this.#host = { owner: this, logger: settings.logger, outboundCalls: settings.outboundCalls }
    if (settings.outboundCalls !== 'allow') watchOutboundCalls()
  }

  get workloads(): readonly string[] {
    return [...this.#pools.keys()]
  }

  model<ModelSchema extends Schema>(name: string, schema: ModelSchema): ModelOf<ModelSchema> {
    return this.#models.define(name, schema)
  }

  async transaction<Result>(work: () => Promise<Result>, options: TransactionOptions = {}): Promise<Result> {
    const settings = readTransactionOptions(options, this.#settings.transactionTimeoutMs)
    assertOffered(settings)
    const outer = this.#scope()
    if (outer !== undefined) return await outer.nest(work, settings)
    const { result, callbacks } = await this.#attempts(work, settings)
    await runAfterCommit(callbacks, this.#settings.logger)
    return result
  }

  async #attempts<Result>(work: () => Promise<Result>, settings: TransactionSettings): Promise<Committed<Result>> {
    const workload = this.#workload()
    const { timer, ...deadline } = this.#deadline(settings.timeoutMs)
    let attempt: TransactionAttempt | undefined
    const run = async (): Promise<Committed<Result>> => {
      attempt = undefined
      return await workload.run(async (client) => {
        if (!workload.hasTransactions) throw noTransactions()
        attempt = new TransactionAttempt(client, workload.settings, settings, this.#host, deadline)
        return { result: await attempt.run(work), callbacks: attempt.callbacks }
      }, deadline.signal)
    }
    try {
      return await retrying(run, {
        retries: settings.retries,
        mayRetry: (thrown) => attempt?.mayRetry(thrown) === true,
        clock: this.#settings.clock,
        signal: deadline.signal,
      })
    } catch (thrown) {
      // Documents check and compare themselves before anything is asked of the driver.
      throw translateMongoError(thrown)
    } finally {
      timer.cancel()
    }
  }

  #deadline(timeoutMs: number): Deadline & { readonly timer: Timer } {
    const { clock } = this.#settings
    const late = new AbortController()
    const endsAt = clock.elapsed() + timeoutMs
    const ofRequest = currentRequest()?.signal
    return {
      signal: ofRequest === undefined ? late.signal : AbortSignal.any([late.signal, ofRequest]),
      timer: clock.schedule(timeoutMs, () => late.abort(tookTooLong(timeoutMs))),
      remainingMs: () => endsAt - clock.elapsed(),
    }
  }

  async outsideTransaction<Result>(work: () => Promise<Result>): Promise<Result> {
    // Awaited inside, as in a transaction.
    return await withScope(this, undefined, async () => await work())
  }

  afterCommit(callback: AfterCommit): void {
    const scope = this.#scope()
    if (scope === undefined) void runAfterCommit([callback], this.#settings.logger)
    else scope.afterCommit(callback)
  }

  #route(): Route {
    return this.#scope() ?? new PoolRoute(this.#workload())
  }

  #routeOutside(method: string): Route {
    if (this.#scope() === undefined) return new PoolRoute(this.#workload())
    throw new Error(`${method} cannot be undone, so it is no part of a transaction. Use \`outsideTransaction\``)
  }

  #scope(): TransactionAttempt | undefined {
    return scopeOf<TransactionAttempt>(this)
  }

  /** That of the caller's class of work. */
  #workload(): Workload {
    return this.#pools.get(currentIsolation() ?? '') ?? this.#interactive
  }

  async check(signal?: AbortSignal): Promise<void> {
    const { checkTimeoutMs, clock } = this.#interactive.settings
    const late = new AbortController()
    const either = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
    const timer = clock.schedule(checkTimeoutMs, () => late.abort(unavailable()))
    try {
      await unlessAborted(this.#interactive.ping(either), either)
    } finally {
      timer.cancel()
    }
  }

  stats(): MongoStats {
    const pools = Object.fromEntries([...this.#pools].map(([name, pool]) => [name, pool.stats()]))
    const all = Object.values(pools)
    const sum = (gauge: 'total' | 'idle' | 'waiting'): number => all.reduce((total, pool) => total + pool[gauge], 0)
    return { total: sum('total'), idle: sum('idle'), waiting: sum('waiting'), pools }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { closeTimeoutMs, clock, logger } = this.#settings
    const pools = [...this.#pools.values()]
    for (const pool of pools) pool.refuse()
    const cutOff = new Error('Operations were still running')
    try {
      await within(closeTimeoutMs, clock, Promise.all(pools.map((pool) => pool.drained())), () => cutOff)
    } catch (err) {
      logger.warn({ err }, 'MongoDB operations took too long to end and were cut off')
    }
    // Saying goodbye asks the server, which may not answer.
    const goodbyes = Promise.allSettled(pools.map((pool) => pool.end()))
    await within(goodbyeTimeoutMs, clock, goodbyes, () => cutOff).catch(() => {})
  }
}

const goodbyeTimeoutMs = 1000

interface Committed<Result> {
  readonly result: Result
  readonly callbacks: readonly AfterCommit[]
}

function noTransactions(): Error {
  return new Error(
    'This MongoDB is a server of no replica set, which has no transactions. Start it with --replSet and initiate it; a ' +
      'replica set of a single server will do',
  )
}

function assertOffered({ isolation }: TransactionSettings): void {
  if (isolation !== 'serializable') return
  throw new TypeError(
    'isolation is serializable, which MongoDB does not have: its transactions read a snapshot, and two of them may each ' +
      'read what the other one writes. Have both write the same document, and ask for repeatable read',
  )
}
