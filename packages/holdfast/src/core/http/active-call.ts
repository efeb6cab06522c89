import type { Clock } from '../../foundation/clock.ts'
import { AppError, GatewayTimeoutError, withoutStack } from '../../foundation/errors.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { Principal } from '../auth/principal.ts'
import type { RequestContext } from '../context/request-context.ts'
import type { LimitGate } from '../rate-limit/limiter.ts'
import type { ClientAddress, ResolveClient } from './client-address.ts'
import type { HeaderBlocks } from './header-blocks.ts'
import type { RawCall } from './raw-call.ts'
import { childTraceparent, chooseRequestId, parseTraceparent, type Trace } from './request-id.ts'

/** The status of calls whose client left before the answer. Never sent. */
export const clientGone = 499

/**
 * A request on its way through the pipeline: the raw call, what the stages found out about it, and what a handler may
 * see. What costs something and is often not needed (logger, signal, trace) is made on first use.
 */
export class ActiveCall implements RequestContext {
  readonly raw: RawCall
  readonly client: ClientAddress
  readonly requestId: string
  readonly startedAt: number
  /** The route's pattern, for the log; `undefined` beside the routes. */
  route: string | undefined = undefined
  isolation: string | undefined = undefined
  timeoutMs: number = Number.POSITIVE_INFINITY
  /** Whether the body is still on its way, so that it is the client who takes long. */
  isReceiving = false
  principal: Principal | undefined = undefined
  params: unknown = undefined
  query: unknown = undefined
  body: unknown = undefined
  cookies: unknown = undefined
  /** The headers of its reply; of the service, until a route says otherwise. */
  blocks: HeaderBlocks | undefined = undefined
  /** Members of the `RateLimit-Policy` and `RateLimit` fields, of the gates that were passed so far. */
  limitPolicy: string | undefined = undefined
  limitState: string | undefined = undefined
  #unsettled: { readonly gate: LimitGate; readonly subject: string }[] | undefined = undefined
  #endedWith: number | undefined = undefined
  readonly #clock: Clock
  readonly #rootLogger: Logger
  #logger: Logger | undefined = undefined
  #abort: AbortController | undefined = undefined
  #abortReason: Error | undefined = undefined
  #traceparent: string | undefined = undefined

  constructor(raw: RawCall, client: ClientAddress, requestId: string, clock: Clock, rootLogger: Logger) {
    this.raw = raw
    this.client = client
    this.requestId = requestId
    this.startedAt = clock.elapsed()
    this.#clock = clock
    this.#rootLogger = rootLogger
  }

  get clientAddress(): string {
    return this.client.address
  }

  /** Whether it came over TLS, to us or to a trusted proxy that says so. */
  get isSecure(): boolean {
    if (this.raw.isEncrypted) return true
    if (!this.client.isFromTrustedPeer) return false
    const scheme = this.raw.headers['x-forwarded-proto']
    return typeof scheme === 'string' && /^https(\s*,|$)/i.test(scheme)
  }

  get origin(): string | undefined {
    const { origin } = this.raw.headers
    return typeof origin === 'string' ? origin : undefined
  }

  noteLimit(policy: string, state: string): void {
    this.limitPolicy = this.limitPolicy === undefined ? policy : `${this.limitPolicy}, ${policy}`
    this.limitState = this.limitState === undefined ? state : `${this.limitState}, ${state}`
  }

  /** Remembers a gate that wants to know how the call ended; tells it at once when it has, while the gate decided. */
  noteUnsettled(gate: LimitGate, subject: string): void {
    if (this.#endedWith === undefined) (this.#unsettled ??= []).push({ gate, subject })
    else gate.settle(subject, this.#endedWith)
  }

  settleLimits(status: number): void {
    // Whoever hangs up had us work all the same; what becomes of the work they do not hear.
    const seen = this.raw.isGone ? clientGone : status
    this.#endedWith = seen
    if (this.#unsettled === undefined) return
    for (const { gate, subject } of this.#unsettled) gate.settle(subject, seen)
    this.#unsettled = undefined
  }

  get logger(): Logger {
    return (this.#logger ??= this.#rootLogger.child({ requestId: this.requestId }))
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const controller = new AbortController()
      this.#abort = controller
      if (this.#abortReason !== undefined) controller.abort(this.#abortReason)
      else this.raw.onGone(() => this.abort(new Error('The client has gone')))
    }
    return this.#abort.signal
  }

  /** Tells whoever waits on {@link signal} to stop. The first reason counts. */
  abort(reason: Error): void {
    this.#abortReason ??= reason
    this.#abort?.abort(this.#abortReason)
  }

  /** @throws what {@link signal} was aborted with: a call that was answered does nothing any more */
  throwIfOver(): void {
    if (this.#abortReason !== undefined) throw this.#abortReason
  }

  /** Whether this is what {@link signal} was aborted with. */
  isAbortReason(thrown: unknown): boolean {
    return this.#abortReason !== undefined && thrown === this.#abortReason
  }

  get trace(): Trace | undefined {
    return parseTraceparent(this.raw.headers['traceparent'])
  }

  get traceparent(): string {
    return (this.#traceparent ??= childTraceparent(this.trace))
  }

  elapsedMs(): number {
    return this.#clock.elapsed() - this.startedAt
  }

  remainingMs(): number {
    return Math.max(0, this.timeoutMs - this.elapsedMs())
  }

  /** The path as it came, without its query, where secrets stand. */
  get instance(): string {
    const target = this.raw.fullTarget
    const mark = target.indexOf('?')
    return target.slice(0, Math.min(mark < 0 ? target.length : mark, 256))
  }
}

/** Begins a call: who it comes from, what it is called, when it began. */
export type OpenCall = (raw: RawCall) => ActiveCall

export function createOpenCall(resolveClient: ResolveClient, clock: Clock, logger: Logger): OpenCall {
  return (raw) => {
    const client = resolveClient(raw.peerAddress, raw.headers)
    const requestId = raw.requestId ?? chooseRequestId(raw.headers['x-request-id'], client.isFromTrustedPeer)
    return new ActiveCall(raw, client, requestId, clock, logger)
  }
}

export const deadlineError = (timeoutMs: number): GatewayTimeoutError =>
  withoutStack(
    () =>
      new GatewayTimeoutError(
        'request.timeout',
        `This took longer than the ${timeoutMs} ms it is given; try again later.`,
      ),
  )

export const tooSlow = (): AppError =>
  withoutStack(() => new AppError('request-timeout', 'request.too_slow', 'The body did not arrive in time.'))
