import mongoose from 'mongoose'
import { Permits } from '../../foundation/permits.ts'
import { unlessAborted } from '../../foundation/waiting.ts'
import type { MongoPoolStats } from './database.ts'
import type { MongoPoolSettings } from './database-options.ts'
import { translateConnectError } from './errors.ts'
import { busy, closed } from '../../core/transactions/store-errors.ts'

type Client = mongoose.mongo.MongoClient

/** `check`, and transactions that are undone while everything else is taken. */
const connectionsBeside = 2

/** The connections of one class of work, and the line of those who wait for one. */
export class Workload {
  readonly name: string
  readonly settings: MongoPoolSettings
  readonly #permits: Permits
  readonly #running = new Set<Promise<unknown>>()
  /** Names of connections, as {@link nameOf} makes them. */
  readonly #open = new Set<string>()
  readonly #inUse = new Set<string>()
  /** Addresses of servers that were lost. */
  readonly #lost = new Set<string>()
  #isStandalone = false
  #connecting: Promise<Client> | undefined
  #isClosing = false

  constructor(settings: MongoPoolSettings) {
    this.name = settings.name
    this.settings = settings
    this.#permits = new Permits({
      maxTaken: settings.maxConnections,
      maxWaiting: settings.maxWaiting,
      waitMs: settings.waitQueueTimeoutMs,
      clock: settings.clock,
      refusal: busy,
    })
  }

  /**
   * Runs `job` when it is its turn.
   *
   * @throws {ServiceUnavailableError} when too many wait, when the wait is over, when there is no database
   */
  async run<Result>(job: (client: Client) => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    if (this.#isClosing) throw closed()
    const running = this.#permits.run(async () => job(await this.#client(signal)), signal)
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  /** Connected. */
  async #client(signal: AbortSignal | undefined): Promise<Client> {
    this.#connecting ??= this.#connect()
    return await unlessAborted(this.#connecting, signal)
  }

  // A client of the driver that could not connect the first time never will: it keeps a topology which is closed.
  async #connect(): Promise<Client> {
    const client = new mongoose.mongo.MongoClient(this.settings.url, clientOptions(this.settings))
    this.#observe(client)
    try {
      return await client.connect()
    } catch (thrown) {
      this.#connecting = undefined
      void client.close().catch(() => {})
      throw translateConnectError(thrown)
    }
  }

  // Counted from `ready` and by name: of connections that do not come about the driver tells now this, now that.
  #observe(client: Client): void {
    client.setMaxListeners(0)
    client.on('connectionReady', (connection) => this.#open.add(nameOf(connection)))
    client.on('connectionCheckedOut', (connection) => this.#inUse.add(nameOf(connection)))
    client.on('connectionCheckedIn', (connection) => this.#inUse.delete(nameOf(connection)))
    client.on('connectionClosed', (connection) => {
      this.#open.delete(nameOf(connection))
      this.#inUse.delete(nameOf(connection))
    })
    client.on('serverDescriptionChanged', ({ address, newDescription }) => this.#report(address, newDescription))
  }

  /** False for a server of no replica set, once that is known. */
  get hasTransactions(): boolean {
    return !this.#isStandalone
  }

  /** Says once that a server is lost, and once that it is back. */
  #report(address: string, { type, error }: mongoose.mongo.ServerDescription): void {
    const { logger } = this.settings
    if (type !== 'Unknown') this.#isStandalone = type === 'Standalone'
    if (error !== null && !this.#lost.has(address)) {
      this.#lost.add(address)
      logger.warn({ pool: this.name, address, reason: error.message }, 'A server of MongoDB is lost; it is looked for')
    } else if (type !== 'Unknown' && this.#lost.delete(address)) {
      logger.info({ pool: this.name, address, type }, 'A server of MongoDB is back')
    }
  }

  stats(): MongoPoolStats {
    const total = this.#open.size
    return { total, idle: total - this.#inUse.size, waiting: this.#permits.waiting }
  }

  /** Asks past everybody who waits. */
  async ping(signal: AbortSignal): Promise<void> {
    if (this.#isClosing) throw closed()
    const client = await this.#client(signal)
    try {
      const options = { readPreference: 'primary', maxTimeMS: this.settings.checkTimeoutMs, signal } as const
      await client.db().command({ ping: 1 }, options)
    } catch (thrown) {
      throw signal.aborted ? signal.reason : translateConnectError(thrown)
    }
  }

  /** From now on nobody else gets in line. */
  refuse(): void {
    this.#isClosing = true
  }

  /** Resolves when nobody is at it, and nobody waits. */
  async drained(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  /** Cuts off whoever is still at it. */
  async end(): Promise<void> {
    const client = await this.#connecting?.catch(() => undefined)
    await client?.close()
  }
}

function nameOf({ address, connectionId }: { readonly address: string; readonly connectionId: unknown }): string {
  return `${address} ${String(connectionId)}`
}

function clientOptions(settings: MongoPoolSettings): mongoose.mongo.MongoClientOptions {
  return {
    appName: settings.applicationName,
    maxPoolSize: settings.maxConnections + connectionsBeside,
    waitQueueTimeoutMS: settings.waitQueueTimeoutMs,
    connectTimeoutMS: settings.connectTimeoutMs,
    serverSelectionTimeoutMS: settings.serverSelectionTimeoutMs,
    socketTimeoutMS: settings.socketTimeoutMs,
    maxIdleTimeMS: settings.idleTimeoutMs,
    readPreference: settings.readPreference,
    // What was read cannot be rolled back by a failover, and what was written neither.
    readConcernLevel: 'majority',
    writeConcern: { w: 'majority', wtimeoutMS: settings.operationTimeoutMs },
    retryReads: true,
    retryWrites: true,
  }
}
