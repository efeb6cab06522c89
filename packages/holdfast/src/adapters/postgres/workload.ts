import { AsyncLocalStorage } from 'node:async_hooks'
import pg from 'pg'
import { Permits } from '../../foundation/permits.ts'
import { unlessAborted } from '../../foundation/waiting.ts'
import { columnParser } from './column-types.ts'
import { Connection } from './connection.ts'
import type { QueryConfig } from './connection.ts'
import type { PoolStats } from './database.ts'
import type { PoolSettings } from './database-options.ts'
import { roleMissing, translateConnectError } from './errors.ts'
import { busy, closed } from '../../core/transactions/store-errors.ts'

/**
 * A connection outlives the request that opens it, so it does not keep that one's context, and what becomes of it later is
 * not logged as that one's.
 */
const ofNobody = AsyncLocalStorage.snapshot()

/** The connections of one class of work, and the line of those who wait for one. */
export class Workload {
  readonly name: string
  readonly settings: PoolSettings
  readonly #pool: pg.Pool
  readonly #permits: Permits
  readonly #clients = new Set<pg.PoolClient>()
  readonly #losses = new WeakMap<pg.PoolClient, unknown>()
  #isClosing = false

  /**
   * @param isHeld - while it says so, this pool begins nothing
   * @param onDrained - told when nobody waits in line here any more
   */
  constructor(settings: PoolSettings, isHeld: () => boolean, onDrained: () => void) {
    this.name = settings.name
    this.settings = settings
    this.#permits = new Permits({
      maxTaken: settings.maxConnections,
      maxWaiting: settings.maxWaiting,
      waitMs: settings.connectionTimeoutMs,
      clock: settings.clock,
      refusal: busy,
      isHeld,
      onDrained,
    })
    this.#pool = new pg.Pool({
      ...clientConfig(settings),
      max: settings.maxConnections,
      idleTimeoutMillis: settings.idleTimeoutMs,
      maxLifetimeSeconds: settings.maxLifetimeSeconds,
    })
    this.#survive()
  }

  /**
   * A connection, which goes back by {@link release}.
   *
   * @throws {ServiceUnavailableError} when too many wait, when the wait is over, when there is no database
   */
  async take(signal: AbortSignal | undefined): Promise<Connection> {
    if (this.#isClosing) throw closed()
    await this.#permits.take(signal)
    const opening = this.#open(signal)
    try {
      // It may take longer than whoever asked has time.
      return await unlessAborted(opening, signal)
    } catch (thrown) {
      // It keeps its place until it is there or not.
      opening.then(
        (connection) => this.release(connection),
        () => {},
      )
      throw thrown
    }
  }

  async #open(signal: AbortSignal | undefined): Promise<Connection> {
    try {
      const client = await this.#connect(signal)
      return new Connection(client, this.settings, (lost) => this.#losses.get(lost))
    } catch (thrown) {
      this.#permits.release()
      throw thrown
    }
  }

  release(connection: Connection): void {
    if (connection.isUnsettled) void connection.settle().then(() => this.#putBack(connection))
    else this.#putBack(connection)
  }

  #putBack(connection: Connection): void {
    connection.release()
    this.#permits.release()
  }

  async #connect(signal: AbortSignal | undefined): Promise<pg.PoolClient> {
    try {
      const client = await ofNobody(() => this.#pool.connect())
      if (signal?.aborted !== true) return client
      client.release()
    } catch (thrown) {
      throw roleMissing(thrown, this.settings.role) ?? translateConnectError(thrown)
    }
    throw signal.reason
  }

  /** Whether somebody stands in line. */
  get isWaitedFor(): boolean {
    return this.#permits.waiting > 0
  }

  /** Lets those go on who were held back. */
  wake(): void {
    this.#permits.wake()
  }

  stats(): PoolStats {
    const { totalCount, idleCount } = this.#pool
    return { total: totalCount, idle: idleCount, waiting: this.#permits.waiting }
  }

  /** @throws {AppError} kind `unavailable` when no answer comes in time */
  async ping(): Promise<void> {
    if (this.#isClosing) throw closed()
    if (this.#pool.idleCount === 0) return await this.#pingApart()
    const client = await this.#connect(undefined)
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
    const { checkTimeoutMs } = this.settings
    const client = new pg.Client({ ...clientConfig(this.settings), connectionTimeoutMillis: checkTimeoutMs })
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
    return { text: 'select 1', queryMode: 'extended', query_timeout: this.settings.checkTimeoutMs }
  }

  /** From now on nobody gets a connection. */
  refuse(): void {
    this.#isClosing = true
  }

  /** Says goodbye to idle connections; resolves when all are back and closed. */
  end(): Promise<void> {
    return this.#pool.end()
  }

  /** Cuts off whoever is still at it. */
  cut(): void {
    for (const client of this.#clients) client.connection.stream.destroy()
  }

  /** Node ends the process when an `error` event finds no listener, and connections may fail at any moment. */
  #survive(): void {
    this.#pool.on('connect', (client: pg.PoolClient) => {
      this.#clients.add(client)
      refuseCopy(client)
      client.on('error', (error: Error & { readonly code?: string }) => {
        const { message, code } = error
        if (code !== undefined) this.#losses.set(client, error)
        // Not the error itself: the pool hangs the whole client on it.
        const fields = { reason: message, code, pool: this.name }
        this.settings.logger.warn(fields, 'A connection to PostgreSQL is lost; the next query opens another')
      })
    })
    this.#pool.on('remove', (client: pg.PoolClient) => this.#clients.delete(client))
    // The listener of the client has reported it already.
    this.#pool.on('error', () => {})
  }
}

/**
 * `copy … from stdin`, which nobody here has anything for: the driver refuses it, but the Sync that the server waits for
 * went before and was passed over.
 */
function refuseCopy({ connection }: pg.PoolClient): void {
  const wire = connection as unknown as NodeJS.EventEmitter & { sync(): void }
  wire.on('copyInResponse', () => wire.sync())
}

function clientConfig(settings: PoolSettings): pg.ClientConfig & { readonly pipeline: boolean } {
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
    pipeline: true,
    ...(settings.role !== undefined && { options: `-c role=${settings.role}` }),
    types: { getTypeParser: columnParser as typeof pg.types.getTypeParser },
  }
}
