import { type Clock, systemClock } from '../../foundation/clock.ts'
import { AppError, NotFoundError, withoutStack } from '../../foundation/errors.ts'
import { type Logger, silentLogger } from '../../foundation/logger.ts'
import type { Authenticate } from '../auth/principal.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import type { PrepareSchema } from '../validation/prepared-schema.ts'
import { type ActiveCall, createOpenCall, type OpenCall } from './active-call.ts'
import { createClientResolver, type Topology } from './client-address.ts'
import { explainRoute, type RouteExplanation } from './explain.ts'
import { assertFraming } from './framing.ts'
import type { FlatHeaders } from './header-block.ts'
import { compileCookieTrust } from './cookies.ts'
import { compileCors, type Cors, type CorsOptions } from './cors.ts'
import { HeaderBook, type HeaderPolicies } from './header-blocks.ts'
import { routeLimits, passGate, type RouteLimits } from './limits.ts'
import { compileRoute, type RunRoute } from './pipeline.ts'
import type { PipelineSettings } from './pipeline-settings.ts'
import { type HealthPort, type ProbeRoute, probeRoutes } from './probes.ts'
import type { RawCall, WireReply } from './raw-call.ts'
import { lastResort, refuse } from './refuse.ts'
import type { ReplyFormat } from './reply-writer.ts'
import { logRequest } from './request-log.ts'
import { assertBound, assertRoute, type Method, type Route } from './route.ts'
import { type Match, Router } from './router.ts'
import { toSafeLogger } from './safe-logger.ts'
import { decodeSegments, splitTarget } from './target.ts'
import { pushCallHeaders } from './wire-reply.ts'

export interface HttpOptions {
  /** Where the request line and defects go. Default: nowhere. */
  readonly logger?: Logger
  readonly clock?: Clock
  /** How requests reach this process; see {@link Topology}. Default `'direct'`. */
  readonly topology?: Topology
  /** Bits of an IPv6 address that stand for one client, 32–128. Default 64. */
  readonly ipv6PrefixBits?: number
  /** Headers of every reply: one policy, or several that routes choose from. Default: strict, for data. */
  readonly headers?: HeaderPolicies
  /** Which pages of other origins may read replies. Default: none. */
  readonly cors?: CorsOptions
  /** How often things may be done. Default: without limits. */
  readonly limiter?: Limiter
  /** Who calls. Mandatory as soon as one route is not public. */
  readonly authenticate?: Authenticate
  /** The classes of work that routes may belong to; `isolations: database.workloads`. Default: none. */
  readonly isolations?: readonly string[]
  /** Milliseconds a call may take, 1–3 600 000. Default 10 000. */
  readonly timeoutMs?: number
  /** Largest body in bytes, 1–104 857 600. Default 102 400. */
  readonly maxBodyBytes?: number
  /** Levels that JSON may be nested, 1–1000. Default 32. */
  readonly maxJsonDepth?: number
  /** Longest request target in characters, 1–65 536. Default 8192. */
  readonly maxTargetLength?: number
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

/** A request that the table has a route for. */
export interface Found {
  readonly run: RunRoute
  readonly values: readonly string[]
  readonly search: string
}

/** A route table made ready. Edges mount it; it never throws and knows no framework. */
export interface Http {
  /** What the table answers, the probes included. */
  readonly routes: readonly { readonly method: Method; readonly path: string }[]
  /** The route for a method and a target, or nothing: an edge then asks whatever else the app has. */
  find(method: string, target: string): Found | undefined
  /**
   * The answer to any request, also to those beside the routes.
   *
   * @param found - what {@link find} gave for it, to spare a second look
   */
  answer(raw: RawCall, found?: Found): WireReply | Promise<WireReply>
  /**
   * The answer to a request that no route took: 404, 405, to OPTIONS and to a preflight. Never a route's own, which may
   * lie behind guards of the app that this request did not pass.
   */
  answerBeside(raw: RawCall): WireReply | Promise<WireReply>
  /** The answer to a request that a framework, or a handler of its own, refused by throwing. */
  refuse(raw: RawCall, thrown: unknown, route?: string): WireReply
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
  readonly routes: { readonly method: Method; readonly path: string }[] = []
  readonly #table: readonly Route[]
  readonly #router = new Router<RunRoute>()
  readonly #settings: PipelineSettings
  readonly #open: OpenCall
  readonly #cors: Cors | undefined
  readonly #limits: RouteLimits
  readonly #maxTargetLength: number

  constructor(table: readonly Route[], options: HttpOptions & { readonly prepareSchema: PrepareSchema }) {
    this.#cors = options.cors && compileCors(options.cors)
    this.#settings = toSettings(options, this.#cors)
    this.#limits = routeLimits(options.limiter)
    this.#maxTargetLength = options.maxTargetLength ?? 8192
    assertBound('createHttp', 'maxTargetLength', this.#maxTargetLength, 65_536)
    const { clock, logger, blocks } = this.#settings
    this.#open = createOpenCall(createClientResolver({ ...options, logger }), clock, logger)
    const probes = options.health === undefined ? [] : probeRoutes(options.health, blocks)
    for (const { path, run } of probes) this.#add('GET', path, this.#guarded(run))
    this.#table = table
    for (const route of table) this.#register(route)
  }

  #register(route: Route): void {
    assertRoute(route)
    const { method, path, spec } = route
    if (spec.access !== 'public' && this.#settings.authenticate === undefined) {
      throw new TypeError(
        `Route ${method} ${path} is not public, but \`authenticate\` is missing; nobody could call it`,
      )
    }
    const { isolations } = this.#settings
    if (spec.isolation !== undefined && !isolations.includes(spec.isolation)) {
      throw new TypeError(
        `Route ${method} ${path}: isolation ${JSON.stringify(spec.isolation)} is none of \`isolations\` (${isolations.join(', ') || 'none given'})`,
      )
    }
    this.#add(method, path, this.#compile(route))
  }

  #compile(route: Route): RunRoute {
    try {
      return compileRoute(route, this.#settings)
    } catch (thrown) {
      throw thrown instanceof TypeError
        ? new TypeError(`Route ${route.method} ${route.path}: ${thrown.message}`)
        : thrown
    }
  }

  #add(method: Method, path: string, run: RunRoute): void {
    this.#router.add(method, path, run)
    this.routes.push({ method, path })
  }

  #guarded(run: ProbeRoute['run']): RunRoute {
    return (call) => run(call).catch((thrown: unknown) => refuse(call, thrown, this.#settings))
  }

  find(method: string, target: string): Found | undefined {
    const { path, search } = splitTarget(target)
    try {
      const match = this.#match(path)
      const run = match?.entry.methods.get(methodOf(method))
      return match && run && { run, values: match.values, search }
    } catch {
      // A broken path is nobody's; `answer` says what is wrong with it.
      return undefined
    }
  }

  /** @throws {ValidationError} for a path that can't be decoded */
  #match(path: string): Match<RunRoute> | undefined {
    if (!path.startsWith('/')) return undefined
    return this.#router.findStatic(path) ?? this.#router.find(decodeSegments(path))
  }

  answer(raw: RawCall, found = this.find(raw.method, raw.target)): WireReply | Promise<WireReply> {
    return this.#answer(raw, found)
  }

  answerBeside(raw: RawCall): WireReply | Promise<WireReply> {
    return this.#answer(raw, undefined)
  }

  #answer(raw: RawCall, found: Found | undefined): WireReply | Promise<WireReply> {
    try {
      const call = this.#open(raw)
      try {
        assertFraming(raw)
        if (raw.target.length > this.#maxTargetLength) throw targetTooLong(this.#maxTargetLength)
        return found === undefined ? this.#answerWithoutRoute(call) : found.run(call, found.values, found.search)
      } catch (thrown) {
        return refuse(call, thrown, this.#settings)
      }
    } catch (thrown) {
      return lastResort(thrown, this.#settings)
    }
  }

  #answerWithoutRoute(call: ActiveCall): WireReply | Promise<WireReply> {
    if (call.raw.method === 'OPTIONS' && this.#cors !== undefined) {
      const preflight = this.#preflight(call, this.#cors)
      if (preflight !== undefined) return preflight
    }
    const passed = this.#limits.address && passGate(call, this.#limits.address, call.client.key)
    return passed instanceof Promise
      ? passed.then(() => this.#sayWhatIsHere(call)).catch((thrown: unknown) => refuse(call, thrown, this.#settings))
      : this.#sayWhatIsHere(call)
  }

  /** The answer to a browser that asks before it sends. Nothing is counted and nothing else is looked at. */
  #preflight(call: ActiveCall, cors: Cors): WireReply | undefined {
    const { origin } = call
    if (origin === undefined || call.raw.headers['access-control-request-method'] === undefined) return undefined
    const allow = this.#allowOf(call.raw.target) ?? everyMethod
    return this.#noContent(call, allow, cors.preflight(origin, allow))
  }

  #allowOf(target: string): string | undefined {
    try {
      return this.#match(splitTarget(target).path)?.entry.allow
    } catch {
      // What is wrong with the path is told to the call itself.
      return undefined
    }
  }

  /** @throws {AppError} for what has no route */
  #sayWhatIsHere(call: ActiveCall): WireReply {
    const { method, target } = call.raw
    if (target === '*' && method === 'OPTIONS') return this.#noContent(call, everyMethod)
    const match = this.#match(splitTarget(target).path)
    if (match === undefined || match.entry.methods.has(methodOf(method))) throw nothingHere()
    if (method === 'OPTIONS') return this.#noContent(call, match.entry.allow)
    return refuse(call, methodNotAllowed(), this.#settings, ['allow', match.entry.allow])
  }

  refuse(raw: RawCall, thrown: unknown, route?: string): WireReply {
    try {
      const call = this.#open(raw)
      call.route = route
      return refuse(call, thrown, this.#settings)
    } catch (again) {
      return lastResort(again, this.#settings)
    }
  }

  #noContent(call: ActiveCall, allow: string, granted: FlatHeaders = []): WireReply {
    logRequest(this.#settings.logger, call, 204, 0)
    const headers = [...this.#settings.blocks.of(call), 'allow', allow, ...granted]
    pushCallHeaders(headers, call)
    call.settleLimits(204)
    return { status: 204, headers, body: undefined, closes: false }
  }

  explain(method: string, path: string): RouteExplanation | undefined {
    const route = this.#table.find((one) => one.method === method && one.path === path)
    return route && explainRoute(route, this.#settings)
  }
}

const everyMethod = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
/** HEAD is GET whose body stays at home. */
const methodOf = (method: string): string => (method === 'HEAD' ? 'GET' : method)

function toSettings(
  options: HttpOptions & { readonly prepareSchema: PrepareSchema },
  cors: Cors | undefined,
): PipelineSettings {
  const { timeoutMs = 10_000, maxBodyBytes = 102_400, maxJsonDepth = 32, revealDefects = false } = options
  assertBound('createHttp', 'timeoutMs', timeoutMs, 3_600_000)
  assertBound('createHttp', 'maxBodyBytes', maxBodyBytes, 104_857_600)
  assertBound('createHttp', 'maxJsonDepth', maxJsonDepth, 1000)
  if (revealDefects && process.env['NODE_ENV'] === 'production') {
    throw new TypeError('createHttp: revealDefects sends stacks to callers; it is refused when NODE_ENV is production')
  }
  const headers = new HeaderBook(options.headers, cors)
  return {
    logger: toSafeLogger(options.logger ?? silentLogger),
    clock: options.clock ?? systemClock,
    headers,
    blocks: headers.blocks('default', false),
    cors,
    limiter: options.limiter,
    trustsCookies: compileCookieTrust(cors),
    prepareSchema: options.prepareSchema,
    authenticate: options.authenticate,
    isolations: options.isolations ?? [],
    timeoutMs,
    maxBodyBytes,
    maxJsonDepth,
    format: options.format,
    revealDefects,
  }
}

const targetTooLong = (most: number): AppError =>
  withoutStack(
    () => new AppError('uri-too-long', 'request.uri_too_long', `A request target may have ${most} characters.`),
  )
const nothingHere = (): NotFoundError =>
  withoutStack(() => new NotFoundError('request.not_found', 'There is nothing at this path.'))
const methodNotAllowed = (): AppError =>
  withoutStack(
    () =>
      new AppError(
        'method-not-allowed',
        'request.method_not_allowed',
        'This path has other methods; `Allow` lists them.',
      ),
  )
