import type pg from 'pg'
import { UnreadableValueError } from './column-types.ts'
import type { PoolSettings } from './database-options.ts'
import { requestCancel } from './cancel-request.ts'
import { sessionSurvives } from './errors.ts'
import { mayOpen, sendOpening } from './opening-query.ts'
import type { SqlQuery } from './sql.ts'

// `queryMode` and a `query_timeout` per query are pg's, though not in its types.
export type QueryConfig = pg.QueryConfig & { readonly queryMode?: 'extended'; readonly query_timeout?: number }

/** How long an abandoned statement has to end before its connection is cut. */
const cancelTimeoutMs = 1000

/**
 * A connection while somebody has it. Statements may be sent without waiting for those before them: they travel
 * together, and the server takes them in order.
 */
export class Connection {
  readonly #client: pg.PoolClient
  readonly #settings: PoolSettings
  readonly #lossOf: (client: pg.PoolClient) => unknown
  #unanswered = 0
  #cancelling: Promise<void> | undefined
  #isBroken = false
  #isRetired = false

  /** @param lossOf - what the server said when it ended the session, if it said something */
  constructor(client: pg.PoolClient, settings: PoolSettings, lossOf: (client: pg.PoolClient) => unknown) {
    this.#client = client
    this.#settings = settings
    this.#lossOf = lossOf
  }

  /** Whether it must not be used for anything else. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Whether the server still works on something. */
  get isBusy(): boolean {
    return this.#unanswered > 0
  }

  get isInTransaction(): boolean {
    return this.#client.getTransactionStatus() !== 'I'
  }

  /** The next holder gets another one in its place. */
  break(): void {
    this.#isBroken = true
  }

  /** Good until it goes back, and then closed: what is set for its session is nothing for the next holder. */
  retire(): void {
    this.#isRetired = true
  }

  /**
   * @param signal - ends the statement on the server when it aborts
   * @throws the driver's error
   */
  send(query: QueryConfig, signal?: AbortSignal): Promise<pg.QueryResult> {
    return this.#send(() => this.#client.query(query), signal)
  }

  /**
   * Begins a transaction; with a statement that it takes along, if this connection has begun one of the same kind before.
   *
   * @returns the result of the statement, or nothing when that is still to be sent
   */
  async open(begin: string, query: QueryConfig, signal: AbortSignal): Promise<pg.QueryResult | undefined> {
    if (this.#settings.namedStatements && mayOpen(this.#client, begin)) {
      return await this.#send(() => sendOpening(this.#client, begin, { ...query, queryMode: 'extended' }), signal)
    }
    const name = this.#settings.namedStatements ? { name: begin } : {}
    await this.send({ ...name, text: begin, queryMode: 'extended' }, signal)
    return undefined
  }

  async #send(start: () => Promise<pg.QueryResult>, signal: AbortSignal | undefined): Promise<pg.QueryResult> {
    signal?.throwIfAborted()
    const cancel = (): void => this.cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    this.#unanswered += 1
    try {
      return await start()
    } catch (thrown) {
      if (sessionSurvives(thrown) || thrown instanceof UnreadableValueError) throw thrown
      this.#isBroken = true
      throw this.#lossOf(this.#client) ?? thrown
    } finally {
      this.#unanswered -= 1
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** Has all that `send` sends leave in one packet. */
  together<Sent>(send: () => Sent): Sent {
    const { stream } = this.#client.connection
    stream.cork()
    try {
      return send()
    } finally {
      stream.uncork()
    }
  }

  /** A statement of the `sql` tag, prepared under its name where the pool may. */
  configOf(query: SqlQuery): QueryConfig {
    const name = this.#settings.namedStatements ? query.name : undefined
    return name === undefined ? unnamed(query) : { ...unnamed(query), name }
  }

  /** Ends what the server works on; cuts the connection when that does not help. */
  cancel(): void {
    this.#cancelling ??= this.#cancel()
  }

  async #cancel(): Promise<void> {
    const { clock } = this.#settings
    const timer = clock.schedule(cancelTimeoutMs, () => {
      if (this.isBusy) this.#client.connection.stream.destroy()
    })
    // One that is still on its way would end a statement of whoever has this connection by then.
    if (!(await requestCancel(this.#client, cancelTimeoutMs))) this.#isBroken = true
    if (!this.isBusy) timer.cancel()
  }

  /**
   * Resolves when nothing that was asked for here can reach the next holder: a request to cancel that comes late would
   * end a statement of somebody else.
   */
  async settle(): Promise<void> {
    if (this.#cancelling === undefined || this.#isBroken) return
    await this.#cancelling
    if (this.#isBroken) return
    try {
      await this.send({ text: 'select 1', query_timeout: cancelTimeoutMs })
    } catch {
      this.#isBroken = true
    }
  }

  /** Whether it is to be settled before it goes back. */
  get isUnsettled(): boolean {
    return this.#cancelling !== undefined && !this.#isBroken
  }

  release(): void {
    this.#client.release(this.#isBroken || this.#isRetired)
  }
}

/** The extended protocol takes one statement per query, so that `;` in a text cannot start another one. */
export function unnamed({ text, values }: SqlQuery): QueryConfig {
  return { text, values: values as unknown[], queryMode: 'extended' }
}
