import { type Clock, systemClock } from '../../foundation/clock.ts'
import {
  AppError,
  NotFoundError,
  ServiceUnavailableError,
  ValidationError,
  withoutStack,
} from '../../foundation/errors.ts'
import { type Logger, silentLogger } from '../../foundation/logger.ts'
import type { Authenticate } from '../auth/principal.ts'
import type { PrepareSchema } from '../validation/prepared-schema.ts'
import { type ActiveCall, createOpenCall, type OpenCall } from './active-call.ts'
import { createClientResolver, type Topology } from './client-address.ts'
import { explainRoute, type RouteExplanation } from './explain.ts'
import { assertHeader, defaultHeaders } from './header-block.ts'
import { compileRoute, methodNotAllowed, type PipelineSettings, refuse, type RunRoute } from './pipeline.ts'
import { lastResortBody, problemContentType } from './problem.ts'
import type { RawCall, WireReply } from './raw-call.ts'
import type { ReplyFormat } from './reply-writer.ts'
import { assertBound, assertRoute, type Method, type Route } from './route.ts'
import { type Match, Router } from './router.ts'
import { decodeSegments, splitTarget } from './target.ts'

/** What the two probes ask. `holdfast/lifecycle` fills it. */
export interface HealthPort {
  isLive(): boolean
  readiness(): Promise<{ readonly ready: boolean }>
}

export interface HttpOptions {
  /** Where the request line and defects go. Default: nowhere. */
  readonly logger?: Logger
  readonly clock?: Clock
  /** How requests reach this process; see {@link Topology}. Default `'direct'`. */
  readonly topology?: Topology
  /** Bits of an IPv6 address that stand for one client, 32–128. Default 64. */
  readonly ipv6PrefixBits?: number
  /** Who calls. Mandatory as soon as one route is not public. */
  readonly authenticate?: Authenticate
  /** Milliseconds a call may take, 1–3 600 000. Default 10 000. */
  readonly timeoutMs?: number
  /** Largest body in bytes, 1–104 857 600. Default 102 400. */
  readonly maxBodyBytes?: number
  /** Levels that JSON may be nested, 1–1000. Default 32. */
  readonly maxJsonDepth?: number
  /** Longest request target in characters, 1–65 536. Default 8192. */
  readonly maxTargetLength?: number
  /** Headers of every reply, instead of the strict default. */
  readonly headers?: Readonly<Record<string, string>>
  /** The envelope of successes, instead of `{ data, meta? }`. */
  readonly format?: ReplyFormat
  /** Serves `/livez` and `/readyz`, beside the pipeline and the log. */
  readonly health?: HealthPort
  /**
   * Sends the stack of a defect to the caller. For a developer's own machine only; refused when NODE_ENV is
   * `production`. Default false.
   */
  readonly revealDefects?: boolean
}

/** A route table made ready. Edges mount it; it never throws and knows no framework. */
export interface Http {
  readonly routes: readonly { readonly method: Method; readonly path: string }[]
  /** Whether the table or the probes have something for this path, whatever the method. */
  owns(target: string): boolean
  /** Whether the table or the probes answer this method at this path, refusals of a broken path included. */
  handles(method: string, target: string): boolean
  /** The answer to any request, also to those beside the routes. */
  answer(raw: RawCall): WireReply | Promise<WireReply>
  /** The answer to a request that a framework or a handler of its own refused by throwing. */
  refuse(raw: RawCall, thrown: unknown): WireReply
  /** What a request to this route meets, in order. */
  explain(method: string, path: string): RouteExplanation | undefined
}

/**
 * Compiles a route table: schemas, reply shapes, headers and one function per route, all at once, nothing per request.
 *
 * @throws {TypeError | RangeError} for a route that says too little, two routes of one method and path, options out of
 * bounds: a service with a hole does not start
 */
export function compileHttp(
  routes: readonly Route[],
  options: HttpOptions & { readonly prepareSchema: PrepareSchema },
): Http {
  return new CompiledHttp(routes, options)
}

class CompiledHttp implements Http {
  readonly routes: readonly Route[]
  readonly #router = new Router<RunRoute>()
  readonly #settings: PipelineSettings
  readonly #open: OpenCall
  readonly #health: HealthPort | undefined
  readonly #maxTargetLength: number

  constructor(routes: readonly Route[], options: HttpOptions & { readonly prepareSchema: PrepareSchema }) {
    this.#settings = toSettings(options)
    this.#maxTargetLength = options.maxTargetLength ?? 8192
    assertBound('createHttp', 'maxTargetLength', this.#maxTargetLength, 65_536)
    const { clock, logger } = this.#settings
    this.#open = createOpenCall(createClientResolver({ ...options, logger }), clock, logger)
    this.#health = options.health
    this.routes = [...routes]
    for (const route of routes) this.#register(route)
  }

  #register(route: Route): void {
    assertRoute(route)
    if (route.spec.access !== 'public' && this.#settings.authenticate === undefined) {
      throw new TypeError(
        `Route ${route.method} ${route.path} is not public, but \`authenticate\` is missing; nobody could call it`,
      )
    }
    if (this.#health !== undefined && isProbe(route.path)) {
      throw new TypeError(`Route ${route.method} ${route.path} is a probe's path; \`health\` answers it`)
    }
    this.#router.add(route.method, route.path, compileRoute(route, this.#settings))
  }

  owns(target: string): boolean {
    const { path } = splitTarget(target)
    if (this.#health !== undefined && isProbe(path)) return true
    return this.#find(path) !== undefined
  }

  handles(method: string, target: string): boolean {
    const { path } = splitTarget(target)
    if (this.#health !== undefined && isProbe(path)) return true
    return this.#find(path)?.entry.methods.has(method === 'HEAD' ? 'GET' : method) === true
  }

  /** The match of a path, or `undefined` when there is none or the path is broken. */
  #find(path: string): Match<RunRoute> | undefined {
    const known = this.#router.findStatic(path)
    if (known !== undefined) return known
    try {
      return this.#router.find(decodeSegments(path))
    } catch {
      return undefined
    }
  }

  answer(raw: RawCall): WireReply | Promise<WireReply> {
    try {
      const { path, search } = splitTarget(raw.target)
      if (this.#health !== undefined && isProbe(path)) return this.#answerProbe(raw, path, this.#health)
      return this.#answerCall(raw, path, search)
    } catch (thrown) {
      return this.#lastResort(thrown)
    }
  }

  #answerCall(raw: RawCall, path: string, search: string): WireReply | Promise<WireReply> {
    const call = this.#open(raw)
    try {
      assertFraming(raw)
      if (raw.target.length > this.#maxTargetLength) throw targetTooLong(this.#maxTargetLength)
      if (raw.target === '*') return this.#noContent(call, 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS')
      const match = this.#router.findStatic(path) ?? this.#router.find(decodeSegments(path))
      if (match === undefined) throw nothingHere()
      const run = match.entry.methods.get(raw.method === 'HEAD' ? 'GET' : raw.method)
      if (run !== undefined) return run(call, match.values, search)
      if (raw.method === 'OPTIONS') return this.#noContent(call, match.entry.allow)
      return refuse(call, methodNotAllowed(), this.#settings, ['allow', match.entry.allow])
    } catch (thrown) {
      return refuse(call, thrown, this.#settings)
    }
  }

  refuse(raw: RawCall, thrown: unknown): WireReply {
    try {
      return refuse(this.#open(raw), thrown, this.#settings)
    } catch (again) {
      return this.#lastResort(again)
    }
  }

  #noContent(call: ActiveCall, allow: string): WireReply {
    return {
      status: 204,
      headers: [...this.#settings.headers, 'allow', allow, 'x-request-id', call.requestId],
      body: undefined,
      closes: false,
    }
  }

  /** Probes carry no guard and leave no line in the log: they ask often, and must be answered when all else is shed. */
  async #answerProbe(raw: RawCall, path: string, health: HealthPort): Promise<WireReply> {
    const call = this.#open(raw)
    try {
      const isUp = path === '/livez' ? health.isLive() : (await health.readiness()).ready
      return isUp ? this.#probeReply(200, '{"data":{"status":"ok"}}') : this.#probeReply(503, notReadyBody)
    } catch (thrown) {
      return refuse(call, thrown, this.#settings)
    }
  }

  #probeReply(status: number, body: string): WireReply {
    const type = status === 200 ? 'application/json; charset=utf-8' : problemContentType
    const headers = [...this.#settings.headers, 'content-type', type, 'content-length', String(body.length)]
    return { status, headers, body, closes: false }
  }

  explain(method: string, path: string): RouteExplanation | undefined {
    const route = this.routes.find((one) => one.method === method && one.path === path)
    return route && explainRoute(route, this.#settings)
  }

  /** The handler of errors failed: a constant, so that nothing about it can fail or leak. */
  #lastResort(thrown: unknown): WireReply {
    try {
      this.#settings.logger.fatal({ err: thrown }, 'the error handler failed')
    } catch {
      // The logger may be what failed.
    }
    return lastResort()
  }
}

const lastResort = (): WireReply => ({
  status: 500,
  headers: [...defaultHeaders, 'content-type', problemContentType, 'content-length', String(lastResortBody.length)],
  body: lastResortBody,
  closes: false,
})

function toSettings(options: HttpOptions & { readonly prepareSchema: PrepareSchema }): PipelineSettings {
  const { timeoutMs = 10_000, maxBodyBytes = 102_400, maxJsonDepth = 32, revealDefects = false } = options
  assertBound('createHttp', 'timeoutMs', timeoutMs, 3_600_000)
  assertBound('createHttp', 'maxBodyBytes', maxBodyBytes, 104_857_600)
  assertBound('createHttp', 'maxJsonDepth', maxJsonDepth, 1000)
  if (revealDefects && process.env['NODE_ENV'] === 'production') {
    throw new TypeError('createHttp: revealDefects sends stacks to callers; it is refused when NODE_ENV is production')
  }
  return {
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    headers: options.headers === undefined ? defaultHeaders : toBlock(options.headers),
    prepareSchema: options.prepareSchema,
    authenticate: options.authenticate,
    timeoutMs,
    maxBodyBytes,
    maxJsonDepth,
    format: options.format,
    revealDefects,
  }
}

function toBlock(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).flatMap(([key, text]) => {
    assertHeader(key.toLowerCase(), text)
    return [key.toLowerCase(), text]
  })
}

const isProbe = (path: string): boolean => path === '/livez' || path === '/readyz'

const notReadyBody = JSON.stringify({
  type: 'about:blank',
  title: 'Service Unavailable',
  status: 503,
  detail: 'This instance takes no traffic right now.',
  code: 'lifecycle.not_ready',
})

const singular = new Set(['host', 'content-type', 'authorization', 'content-length', 'transfer-encoding'])

/**
 * Refuses requests that two readers could understand differently: a header twice that may come once, no host, framing
 * beyond plain `chunked`.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-11.2
 */
function assertFraming(raw: RawCall): void {
  const { rawHeaders, headers } = raw
  let seen = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const bit = singularBit(rawHeaders[at] as string)
    if ((seen & bit) !== 0)
      throw ambiguous(`Header ${(rawHeaders[at] as string).toLowerCase()} was sent more than once; send it once.`)
    seen |= bit
  }
  if (raw.httpVersion === '1.1' && !headers['host']) throw ambiguous('The Host header is missing.')
  const framing = headers['transfer-encoding']
  if (framing !== undefined && framing !== 'chunked') throw ambiguous('Only plain chunked transfer encoding is read.')
}

/** One bit for each name that may come once; the length rules out nearly all others without lower-casing them. */
function singularBit(name: string): number {
  if (name.length !== 4 && name.length !== 12 && name.length !== 13 && name.length !== 14 && name.length !== 17)
    return 0
  const lower = name.toLowerCase()
  return singular.has(lower) ? 1 << (lower.length & 31) : 0
}

const ambiguous = (message: string): ValidationError =>
  withoutStack(() => new ValidationError(message, { code: 'request.ambiguous' }))
const targetTooLong = (most: number): AppError =>
  withoutStack(
    () => new AppError('uri-too-long', 'request.uri_too_long', `A request target may have ${most} characters.`),
  )
const nothingHere = (): NotFoundError =>
  withoutStack(() => new NotFoundError('request.not_found', 'There is nothing at this path.'))

/** The refusal of a service that is on its way out. */
export const draining = (): ServiceUnavailableError =>
  withoutStack(
    () =>
      new ServiceUnavailableError('lifecycle.draining', 'This instance is stopping; try again.', {
        retryAfterSeconds: 1,
      }),
  )
