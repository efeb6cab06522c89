import pg from 'pg'
import { silentLogger } from '../../foundation/logger.ts'
import type { Logger } from '../../foundation/logger.ts'
import { translateConnectError } from './errors.ts'

export interface ListenOptions {
  /** Straight to the server: a pooler in transaction mode cannot pass notifications on. */
  readonly url: string
  readonly channel: string
  readonly onMessage: (message: string) => void
  /** Called each time it listens again after the connection was lost; messages in between are lost too. */
  readonly onGap: () => void
  readonly logger?: Logger | undefined
  /** How often to ask whether the connection is still there, milliseconds. Default 10 000 */
  readonly checkIntervalMs?: number
  /** How long a connection, and an answer, may take, milliseconds. Default 3000 */
  readonly timeoutMs?: number
}

/**
 * Listens to a channel of PostgreSQL over a connection of its own, and goes on listening when that is lost.
 *
 * @returns how to stop; that never rejects
 * @throws {ServiceUnavailableError} when the first connection fails
 */
export async function listen(options: ListenOptions): Promise<() => Promise<void>> {
  const listener = new Listener(options)
  await listener.open()
  return () => listener.close()
}

const firstRetryMs = 50
const lastRetryMs = 5000

class Listener {
  readonly #options: ListenOptions
  readonly #logger: Logger
  readonly #timeoutMs: number
  #client: pg.Client | undefined
  #connecting: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #isClosed = false

  constructor(options: ListenOptions) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
    this.#timeoutMs = options.timeoutMs ?? 3000
  }

  async open(): Promise<void> {
    try {
      await this.#connect()
    } catch (error) {
      this.#isClosed = true
      throw translateConnectError(error)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    const client = this.#client
    this.#client = undefined
    if (this.#connecting !== undefined) destroy(this.#connecting)
    if (client !== undefined) await leave(client, this.#timeoutMs)
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: 'holdfast listener',
      connectionTimeoutMillis: this.#timeoutMs,
      query_timeout: this.#timeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
    // Without a listener a lost connection would end the process.
    client.on('error', () => this.#onLost(client))
    client.on('end', () => this.#onLost(client))
    client.on('notification', ({ payload = '' }) => {
      if (!this.#isClosed) this.#guard(() => this.#options.onMessage(payload))
    })
    this.#connecting = client
    try {
      await client.connect()
      await client.query(`listen ${pg.escapeIdentifier(this.#options.channel)}`)
    } catch (error) {
      destroy(client)
      throw error
    } finally {
      this.#connecting = undefined
    }
    if (this.#isClosed) return destroy(client)
    // From here on its loss is ours to notice; until here it was an error.
    this.#client = client
    this.#checkLater()
  }

  #onLost(client: pg.Client): void {
    if (client !== this.#client) return
    this.#client = undefined
    destroy(client)
    this.#reconnectLater()
  }

  #reconnectLater(): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    if (this.#failures === 0)
      this.#logger.warn({}, 'The connection that listens to PostgreSQL is lost; opening another')
    const cap = Math.min(lastRetryMs, firstRetryMs * 2 ** this.#failures)
    this.#failures += 1
    // Spread, so that all processes do not come back to a restarted server at once.
    this.#timer = setTimeout(() => void this.#reconnect(), cap * (0.5 + Math.random() / 2))
    this.#timer.unref()
  }

  async #reconnect(): Promise<void> {
    try {
      await this.#connect()
    } catch {
      this.#reconnectLater()
      return
    }
    if (this.#isClosed) return
    this.#failures = 0
    this.#logger.info({}, 'Listening to PostgreSQL again')
    this.#guard(() => this.#options.onGap())
  }

  /** A defect of whoever listens would end the process here: nobody above us catches it. */
  #guard(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      this.#logger.error({ err: error }, 'A listener to PostgreSQL failed')
    }
  }

  #checkLater(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#check(), this.#options.checkIntervalMs ?? 10_000)
    this.#timer.unref()
  }

  /** A peer that vanished without a word never closes the connection; only an answer that does not come tells. */
  async #check(): Promise<void> {
    const client = this.#client
    if (client === undefined) return
    try {
      await client.query('select 1')
    } catch {
      this.#onLost(client)
      return
    }
    if (client === this.#client) this.#checkLater()
  }
}

/** Says goodbye, but does not wait for one that never comes. */
async function leave(client: pg.Client, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => destroy(client), timeoutMs)
  timer.unref()
  await client.end().catch(() => {})
  clearTimeout(timer)
}

function destroy(client: pg.Client): void {
  client.connection.stream.destroy()
}
