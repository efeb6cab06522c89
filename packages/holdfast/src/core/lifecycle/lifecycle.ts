import { systemClock, type Clock } from '../../foundation/clock.ts'
import type { LogFields, Logger } from '../../foundation/logger.ts'
import { bounded } from './bounded.ts'
import { exitCodeOf, plainWords } from './plain-words.ts'

/** `starting` until all is built, `ready` until asked to stop, `draining` while calls end, `stopped` after disposal. */
export type LifecycleState = 'starting' | 'ready' | 'draining' | 'stopped'

/** What the lifecycle needs of a server. The edges give one; a queue consumer can be one too. */
export interface Drainable {
  /** Goes on serving and tells clients to take their next call elsewhere (`connection: close`). Called at most once. */
  beginDrain(): void
  /** Accepts nothing more; resolves when the last call in flight has its answer. */
  stop(): Promise<void>
  /** Cuts what is left, at once. */
  destroy(): void
}

/** What `start` builds with. */
export interface StartContext {
  /** Aborts when the service is asked to stop before it is ready. */
  readonly signal: AbortSignal
  /**
   * Has `resource` disposed at the end, in reverse order of these calls, after the servers have stopped.
   *
   * @param name - what the log calls it
   * @returns the resource
   * @throws the signal's reason when the start was aborted; the resource is disposed all the same
   */
  readonly use: <Resource>(resource: Resource, dispose: (resource: Resource) => unknown, name?: string) => Resource
  /**
   * Has a listening server drained before anything is disposed.
   *
   * @returns the server
   * @throws the signal's reason when the start was aborted; the server is stopped all the same
   */
  readonly serve: <Server extends Drainable>(server: Server) => Server
  /** For health checks and whoever else wants to know. */
  readonly state: () => LifecycleState
}

export interface LifecycleOptions {
  readonly logger: Logger
  /**
   * Milliseconds to go on serving after the call to stop, so that balancers notice that readiness is gone before the
   * port closes. Default 5000
   */
  readonly drainDelayMs?: number
  /** Milliseconds that calls in flight have to end, counted after `drainDelayMs`. Default 15 000 */
  readonly stopTimeoutMs?: number
  /** Milliseconds for all disposers together; one that hangs gets its fair share only. Default 5000 */
  readonly disposeTimeoutMs?: number
  readonly clock?: Clock
}

export type StopReason =
  | { readonly kind: 'asked'; readonly by: string }
  | { readonly kind: 'defect'; readonly error: unknown; readonly origin: string }

export interface Lifecycle {
  state(): LifecycleState
  /**
   * Runs a service from start to end: builds, waits until {@link Lifecycle.stop}, drains, disposes. Never rejects.
   *
   * @returns the code to exit with: 0, or 1 when something failed or ran out of time, or the `exitCode` of what `start` threw
   */
  run(start: (context: StartContext) => unknown): Promise<number>
  /**
   * Begins the end. Readiness is gone when this returns. Further calls change nothing, except that a defect makes the
   * exit code 1. Never throws.
   */
  stop(reason: StopReason): void
  /** Aborts when the end begins, whatever began it. */
  readonly signal: AbortSignal
  /** The longest `stop` may take in all, in milliseconds. */
  readonly longestStopMs: number
}

interface Used {
  readonly name: string
  readonly dispose: () => unknown
}

/**
 * The states of a service, without a process: no signals, no exit. {@link runService} adds both.
 *
 * @throws {RangeError} when a duration is not between 0 ms and one day
 */
export function createLifecycle(options: LifecycleOptions): Lifecycle {
  return new ServiceLifecycle(options)
}

class ServiceLifecycle implements Lifecycle {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #drainDelayMs: number
  readonly #stopTimeoutMs: number
  readonly #disposeTimeoutMs: number
  readonly #abort = new AbortController()
  readonly #stopAsked = Promise.withResolvers<void>()
  readonly #servers: Drainable[] = []
  readonly #used: Used[] = []
  readonly #seenDefects = new WeakSet<object>()
  #state: LifecycleState = 'starting'
  #wasReady = false
  #isDisposing = false
  #exitCode = 0
  /** When calls in flight, and a start that was told to stop, have had their time. */
  #cutAt = 0

  constructor(options: LifecycleOptions) {
    this.#logger = options.logger
    this.#clock = options.clock ?? systemClock
    this.#drainDelayMs = duration('drainDelayMs', options.drainDelayMs ?? 5000)
    this.#stopTimeoutMs = duration('stopTimeoutMs', options.stopTimeoutMs ?? 15_000)
    this.#disposeTimeoutMs = duration('disposeTimeoutMs', options.disposeTimeoutMs ?? 5000)
  }

  get longestStopMs(): number {
    return this.#drainDelayMs + this.#stopTimeoutMs + this.#disposeTimeoutMs
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  state(): LifecycleState {
    return this.#state
  }

  async run(start: (context: StartContext) => unknown): Promise<number> {
    await this.#start(start)
    if (this.#state === 'ready') await this.#stopAsked.promise
    await this.#drain()
    await this.#disposeAll()
    this.#state = 'stopped'
    this.#log('info', { exitCode: this.#exitCode }, 'The service has stopped')
    return this.#exitCode
  }

  stop(reason: StopReason): void {
    if (reason.kind === 'defect') this.#noteDefect(reason.error, reason.origin)
    if (this.#state === 'draining' || this.#state === 'stopped') return
    this.#beginEnd()
    const why = reason.kind === 'asked' ? reason.by : reason.origin
    this.#log('info', { reason: why }, 'The service stops: it is no longer ready, calls in flight go on')
  }

  async #start(start: (context: StartContext) => unknown): Promise<void> {
    const started = Promise.resolve().then(() => start(this.#context()))
    const ended = started.then(
      () => this.#becomeReady(),
      (error: unknown) => this.#noteFailedStart(error),
    )
    await Promise.race([ended, this.#stopAsked.promise])
    if (this.#wasReady) return
    // What the start still builds has to be known before it can be disposed.
    if ((await bounded(this.#clock, this.#untilMs(this.#cutAt), () => ended)) === 'late') {
      this.#fail({ stopTimeoutMs: this.#stopTimeoutMs }, 'The start did not heed its signal and is left behind')
    }
  }

  #context(): StartContext {
    const { signal } = this.#abort
    return {
      signal,
      state: () => this.#state,
      use: (resource, dispose, name = `resource ${this.#used.length + 1}`) => {
        const used: Used = { name, dispose: () => dispose(resource) }
        if (this.#isDisposing) void this.#disposeOne(used, this.#disposeTimeoutMs)
        else this.#used.push(used)
        signal.throwIfAborted()
        return resource
      },
      serve: (server) => {
        if (this.#isDisposing) this.#safely('destroy a late server', () => server.destroy())
        else this.#servers.push(server)
        signal.throwIfAborted()
        return server
      },
    }
  }

  #becomeReady(): void {
    if (this.#state !== 'starting') return
    this.#state = 'ready'
    this.#wasReady = true
    this.#log('info', {}, 'The service is ready')
  }

  #noteFailedStart(error: unknown): void {
    if (this.#abort.signal.aborted) {
      if (error !== this.#abort.signal.reason)
        this.#log('warn', { err: error }, 'The aborted start ended with an error')
      return
    }
    const { code, isForOperator } = exitCodeOf(error)
    this.#exitCode = code
    this.#log('fatal', isForOperator ? {} : { err: error }, `The service could not start: ${plainWords(error)}`)
    this.#beginEnd()
  }

  #noteDefect(error: unknown, origin: string): void {
    this.#exitCode ||= 1
    if (typeof error === 'object' && error !== null) {
      if (this.#seenDefects.has(error)) return
      this.#seenDefects.add(error)
    }
    this.#log('fatal', { err: error, origin }, 'An error that nothing caught ends the service')
  }

  #beginEnd(): void {
    // Nobody was sent to a service that never was ready, so it need not wait for balancers to look away.
    this.#cutAt = this.#clock.elapsed() + (this.#wasReady ? this.#drainDelayMs : 0) + this.#stopTimeoutMs
    this.#state = 'draining'
    for (const server of this.#servers) this.#safely('announce the drain', () => server.beginDrain())
    this.#abort.abort(new DOMException('The service is stopping', 'AbortError'))
    this.#stopAsked.resolve()
  }

  async #drain(): Promise<void> {
    if (this.#servers.length === 0) return
    if (this.#wasReady) await bounded(this.#clock, this.#drainDelayMs, () => new Promise(() => {}))
    await Promise.all(this.#servers.map((server) => this.#stopServer(server)))
  }

  async #stopServer(server: Drainable): Promise<void> {
    const outcome = await bounded(this.#clock, this.#untilMs(this.#cutAt), () => server.stop())
    if (outcome === 'done') return
    if (outcome === 'late')
      this.#fail({ stopTimeoutMs: this.#stopTimeoutMs }, 'Calls in flight took too long and are cut')
    else this.#fail({ err: outcome.failure }, 'A server failed to stop and is cut')
    this.#safely('destroy a server', () => server.destroy())
  }

  async #disposeAll(): Promise<void> {
    this.#isDisposing = true
    const until = this.#clock.elapsed() + this.#disposeTimeoutMs
    for (let used = this.#used.pop(); used; used = this.#used.pop()) {
      // One that hangs must leave the others their share of the time.
      const shareMs = this.#untilMs(until) / (this.#used.length + 1)
      await this.#disposeOne(used, shareMs)
    }
  }

  async #disposeOne({ name, dispose }: Used, timeoutMs: number): Promise<void> {
    const outcome = await bounded(this.#clock, timeoutMs, dispose)
    if (outcome === 'late') this.#fail({ resource: name, timeoutMs }, 'A resource was not disposed in time and is left')
    else if (outcome !== 'done')
      this.#fail({ resource: name, err: outcome.failure }, 'A resource failed to be disposed')
  }

  #untilMs(moment: number): number {
    return Math.max(0, moment - this.#clock.elapsed())
  }

  #fail(fields: LogFields, message: string): void {
    this.#exitCode ||= 1
    this.#log('error', fields, message)
  }

  #safely(what: string, task: () => void): void {
    try {
      task()
    } catch (error) {
      this.#fail({ err: error }, `Failed to ${what}`)
    }
  }

  /** A logger that throws must not stop the shutdown. */
  #log(level: 'info' | 'warn' | 'error' | 'fatal', fields: LogFields, message: string): void {
    try {
      this.#logger[level](fields, message)
    } catch {
      // There is nowhere left to say it.
    }
  }
}

const oneDayMs = 86_400_000

function duration(name: string, ms: number): number {
  if (typeof ms === 'number' && ms >= 0 && ms <= oneDayMs) return ms
  throw new RangeError(`${name} is milliseconds between 0 and ${oneDayMs}, not ${String(ms)}`)
}
