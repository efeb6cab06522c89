import pg from 'pg'
import { ServiceUnavailableError } from '../../foundation/errors.ts'
import { columnParser } from './column-types.ts'
import type { DatabaseSettings } from './database-options.ts'
import { busy, isStaleStatement, sessionSurvives, translateConnectError, translateError } from './errors.ts'
import type { Database, DatabaseStats, Transaction } from './database.ts'
import { QueryRunner } from './queries.ts'
import type { QueryOptions } from './queries.ts'
import { assertSqlQuery } from './sql.ts'
import type { SqlQuery } from './sql.ts'

// `queryMode` and a `query_timeout` per query are pg's, though not in its types.
type QueryConfig = pg.QueryConfig & { readonly queryMode: 'extended'; readonly query_timeout?: number }

export class PooledDatabase extends QueryRunner implements Database {
  readonly #settings: DatabaseSettings
  readonly #pool: pg.Pool
  readonly #clients = new Set<pg.PoolClient>()
  #unfinished = 0
  #closing: Promise<void> | undefined
  #whenFinished: (() => void) | undefined

  constructor(settings: DatabaseSettings) {
    super()
    this.#settings = settings
    this.#pool = new pg.Pool({
      ...clientConfig(settings),
      max: settings.maxConnections,
      idleTimeoutMillis: settings.idleTimeoutMs,
      maxLifetimeSeconds: settings.maxLifetimeSeconds,
    })
    this.#survive()
  }

  readonly rowSecured: Database = this
  readonly workloads: readonly string[] = ['interactive']

  transaction<Result>(_work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    throw new Error('not yet')
  }

  afterCommit(_callback: () => void | Promise<void>): void {
    throw new Error('not yet')
  }

  outsideTransaction<Result>(work: () => Promise<Result>): Promise<Result> {
    return work()
  }

  async check(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#closing !== undefined) throw closed()
    await withSignal(this.#ping(), signal)
  }

  stats(): DatabaseStats {
    const { totalCount, idleCount, waitingCount } = this.#pool
    const all = { total: totalCount, idle: idleCount, waiting: waitingCount }
    return { ...all, pools: { interactive: all } }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  protected async run(query: SqlQuery, options: QueryOptions): Promise<pg.QueryResult> {
    assertSqlQuery(query)
    this.#unfinished += 1
    try {
      const client = await this.#take()
      return await this.#useOnce(client, query, options)
    } finally {
      this.#unfinished -= 1
      if (this.#unfinished === 0) this.#whenFinished?.()
    }
  }

  async #take(): Promise<pg.PoolClient> {
    if (this.#closing !== undefined) throw closed()
    const { totalCount, idleCount, waitingCount } = this.#pool
    const { maxConnections, maxWaiting } = this.#settings
    if (totalCount >= maxConnections && waitingCount >= maxWaiting + idleCount) throw busy()
    try {
      return await this.#pool.connect()
    } catch (thrown) {
      throw translateConnectError(thrown)
    }
  }

  // Not `pool.query`: that one closes the connection after any error, a unique violation included.
  async #useOnce(client: pg.PoolClient, query: SqlQuery, options: QueryOptions): Promise<pg.QueryResult> {
    let isReusable = true
    try {
      const result = await client.query(this.#toConfig(query))
      isReusable = client.getTransactionStatus() === 'I'
      if (!isReusable)
        throw new Error('The query left a transaction open; it is rolled back. One query is one transaction')
      return result
    } catch (thrown) {
      if (this.#settings.namedStatements && isStaleStatement(thrown)) {
        isReusable = false
        return await this.#useUnnamed(client, query, options)
      }
      isReusable &&= sessionSurvives(thrown)
      throw translateError(thrown, options.constraints)
    } finally {
      client.release(!isReusable)
    }
  }

  async #useUnnamed(client: pg.PoolClient, query: SqlQuery, options: QueryOptions): Promise<pg.QueryResult> {
    this.#settings.logger.warn(
      {},
      'A prepared statement went stale; its connection is replaced. Once after a migration this is normal; ' +
        'all the time it means a pooler in transaction mode: set namedStatements to false',
    )
    try {
      return await client.query(unnamed(query))
    } catch (thrown) {
      throw translateError(thrown, options.constraints)
    }
  }

  #toConfig(query: SqlQuery): QueryConfig {
    const name = this.#settings.namedStatements ? query.name : undefined
    return name === undefined ? unnamed(query) : { ...unnamed(query), name }
  }

  async #ping(): Promise<void> {
    if (this.#pool.idleCount === 0) return await this.#pingApart()
    const client = await this.#take()
    let isReusable = false
    try {
      await client.query(this.#pingQuery())
      isReusable = true
    } catch (thrown) {
      throw translateConnectError(thrown)
    } finally {
      client.release(!isReusable)
    }
  }

  async #pingApart(): Promise<void> {
    const { checkTimeoutMs } = this.#settings
    const client = new pg.Client({ ...clientConfig(this.#settings), connectionTimeoutMillis: checkTimeoutMs })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query(this.#pingQuery())
    } catch (thrown) {
      throw translateConnectError(thrown)
    } finally {
      // Not awaited: a network that swallows packets would hold the goodbye.
      client.end().catch(() => {})
    }
  }

  #pingQuery(): QueryConfig {
    return { text: 'select 1', queryMode: 'extended', query_timeout: this.#settings.checkTimeoutMs }
  }

  /** Node ends the process when an `error` event finds no listener, and connections may fail at any moment. */
  #survive(): void {
    this.#pool.on('connect', (client: pg.PoolClient) => {
      this.#clients.add(client)
      client.on('error', ({ message, code }: Error & { readonly code?: string }) => {
        // Not the error itself: the pool hangs the whole client on it.
        const fields = { reason: message, code }
        this.#settings.logger.warn(fields, 'A connection to PostgreSQL is lost; the next query opens another')
      })
    })
    this.#pool.on('remove', (client: pg.PoolClient) => this.#clients.delete(client))
    // The listener of the client has reported it already.
    this.#pool.on('error', () => {})
  }

  async #close(): Promise<void> {
    const { closeTimeoutMs } = this.#settings
    const endsAt = performance.now() + closeTimeoutMs
    await within(closeTimeoutMs, this.#finished())
    await within(Math.max(1, endsAt - performance.now()), this.#pool.end())
    for (const client of this.#clients) client.connection.stream.destroy()
  }

  #finished(): Promise<void> {
    if (this.#unfinished === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenFinished = resolve
    })
  }
}

function clientConfig(settings: DatabaseSettings): pg.ClientConfig {
  return {
    connectionString: settings.url,
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.connectionTimeoutMs,
    statement_timeout: settings.statementTimeoutMs,
    lock_timeout: settings.lockTimeoutMs,
    idle_in_transaction_session_timeout: settings.idleInTransactionTimeoutMs,
    query_timeout: settings.queryTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser: columnParser as typeof pg.types.getTypeParser },
  }
}

// The extended protocol takes one statement per query, so that `;` in a text cannot start another one.
function unnamed({ text, values }: SqlQuery): QueryConfig {
  return { text, values: values as unknown[], queryMode: 'extended' }
}

function closed(): ServiceUnavailableError {
  return new ServiceUnavailableError('database.closed', 'The service is shutting down. Try again shortly.', {
    retryAfterSeconds: 1,
  })
}

/** Resolves with `work` or after `delayMs`, whichever comes first; a rejection counts as an end. */
async function within(delayMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, delayMs)
  })
  await Promise.race([work.catch(() => {}), timeout])
  clearTimeout(timer)
}

/** Stops waiting for `work` when `signal` says so; `work` itself goes on to an end of its own. */
async function withSignal(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await work
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
