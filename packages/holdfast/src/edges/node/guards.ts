import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Access, assertAccess } from '../../core/auth/access.ts'
import type { Authenticate, Principal } from '../../core/auth/principal.ts'
import { type ActiveCall, createOpenCall, type OpenCall } from '../../core/http/active-call.ts'
import { type ClientAddressOptions, createClientResolver } from '../../core/http/client-address.ts'
import { compileCookieTrust, foreignOrigin } from '../../core/http/cookies.ts'
import { compileCors, type Cors, type CorsOptions } from '../../core/http/cors.ts'
import type { FlatHeaders } from '../../core/http/header-block.ts'
import { type HeaderBlocks, HeaderBook } from '../../core/http/header-blocks.ts'
import type { HeaderPolicy } from '../../core/http/header-policy.ts'
import { compileLimits, passBodyGates, passGate, type RouteLimits } from '../../core/http/limits.ts'
import { vouchedPrincipal } from '../../core/http/vouched-principal.ts'
import type { Limiter, LimitGate } from '../../core/rate-limit/limiter.ts'
import { systemClock } from '../../foundation/clock.ts'
import { UnauthorizedError, withoutStack } from '../../foundation/errors.ts'
import { silentLogger } from '../../foundation/logger.ts'
import { toNativeError } from './framework-error.ts'
import { NodeCall } from './node-call.ts'
import { keptContext } from './request-notes.ts'

// The layers of the pipeline one by one, for apps whose routes are not in a table. Each takes the raw request, so that
// the adapters to Express and Fastify are a few lines.

export interface HeadersOptions extends ClientAddressOptions {
  /** Default: strict, for data. */
  readonly policy?: HeaderPolicy
}

/** Writes security headers on every reply, whoever makes it. */
export class HeadersGuard {
  readonly #blocks: HeaderBlocks
  readonly #open: OpenCall

  constructor(options: HeadersOptions) {
    this.#blocks = new HeaderBook(options.policy, undefined).blocks('default', false)
    this.#open = openCalls(options)
  }

  apply(request: IncomingMessage, response: ServerResponse): void {
    setHeaders(response, this.#blocks.of(this.#open(new NodeCall(request, response))))
  }
}

/** Grants pages of listed origins what they may read, and answers their preflights. */
export class CorsGuard {
  readonly #cors: Cors

  constructor(options: CorsOptions) {
    this.#cors = compileCors(options)
  }

  /** @returns whether this was a preflight, which is answered and goes no further */
  apply(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers
    setHeaders(response, this.#cors.grant(origin))
    if (origin === undefined || request.method !== 'OPTIONS') return false
    if (request.headers['access-control-request-method'] === undefined) return false
    setHeaders(response, this.#cors.preflight(origin, 'GET, HEAD, POST, PUT, PATCH, DELETE'))
    response.writeHead(204)
    response.end()
    return true
  }
}

export interface RateLimitOptions extends ClientAddressOptions {
  readonly limiter: Limiter
  /** Policies by name. Default: those that the limiter has everywhere. */
  readonly policies?: string | readonly string[]
}

/**
 * Counts calls by address, by the principal when there is one, and by a member of the body when one was parsed before.
 */
export class RateLimitGuard {
  readonly #limits: RouteLimits
  readonly #open: OpenCall

  /** @throws {TypeError} for a name that no policy has, and without any policy */
  constructor(options: RateLimitOptions) {
    const { limiter, policies = limiter.everywhere } = options
    const names = [policies].flat()
    if (names.length === 0) {
      throw new TypeError('rateLimit counts by no policy; name some in `policies`, or in `everywhere` of the limiter')
    }
    this.#limits = compileLimits(limiter, names)
    this.#open = openCalls(options)
  }

  /** @throws {TypeError} for a policy that counts by the body */
  assertNeedsNoBody(): void {
    const [one] = this.#limits.body
    if (one === undefined) return
    throw new TypeError(
      `rateLimit counts ${one.gate.policy} by \`${one.member}\` of the body, which nobody has read here; use \`limit\` in \`preHandler\` of a route`,
    )
  }

  /**
   * @throws {TooManyRequestsError}
   * @throws {TypeError} when a policy counts by principal and nobody has looked who calls
   */
  async check(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
    const call = this.#open(new NodeCall(request, response))
    call.body = body
    const principal = principalOf(request)
    if (this.#limits.principal) assertAuthenticated(request, this.#limits.principal)
    response.once('close', () => call.settleLimits(response.statusCode))
    try {
      if (this.#limits.address) await passGate(call, this.#limits.address, call.client.key)
      if (this.#limits.principal && principal) await passGate(call, this.#limits.principal, principal.id)
      await passBodyGates(call, this.#limits.body)
    } finally {
      addLimitFields(response, call)
    }
  }
}

export interface SameOriginOptions extends ClientAddressOptions {
  /** With `credentials: true`, cookies count from its origins too. Default: from this service's own only. */
  readonly cors?: CorsOptions
}

/** Refuses calls that change something with a cookie that a foreign page had sent along. */
export class SameOriginGuard {
  readonly #isTrusted: TrustsRequest

  constructor(options: SameOriginOptions) {
    this.#isTrusted = cookieTrust(options)
  }

  /** @throws {ForbiddenError} `request.foreign_origin` */
  check(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#isTrusted(request, response)) throw foreignOrigin()
  }
}

/** Whether the cookies of a request may count as its visitor's own will; true for one without any. */
type TrustsRequest = (request: IncomingMessage, response: ServerResponse) => boolean

function cookieTrust({ cors, ...addressOptions }: SameOriginOptions): TrustsRequest {
  const open = openCalls(addressOptions)
  const trustsCookies = compileCookieTrust(cors && compileCors(cors))
  return (request, response) =>
    request.headers.cookie === undefined || trustsCookies(open(new NodeCall(request, response)))
}

export interface AuthenticationOptions extends SameOriginOptions {
  readonly authenticate: Authenticate
}

/** Of every request that {@link AuthenticationGuard} has looked at, also when it found nobody. */
const principals = new WeakMap<IncomingMessage, Principal | undefined>()

/** Who calls, once {@link AuthenticationGuard} has passed; `undefined` for nobody. */
export const principalOf = (request: IncomingMessage): Principal | undefined => principals.get(request)

/** @throws {UnauthorizedError} as frameworks read it */
export function requirePrincipal(request: IncomingMessage): Principal {
  const principal = principalOf(request)
  if (principal === undefined) throw toNativeError(withoutStack(() => new UnauthorizedError()))
  return principal
}

/** Finds out who calls. Lets everybody pass who shows nothing; {@link assertNativeAccess} decides. */
export class AuthenticationGuard {
  readonly #authenticate: Authenticate
  readonly #isTrusted: TrustsRequest

  constructor({ authenticate, ...options }: AuthenticationOptions) {
    this.#authenticate = authenticate
    this.#isTrusted = cookieTrust(options)
  }

  /** @throws {UnauthorizedError} for credentials that are wrong */
  async check(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { authorization, cookie } = request.headers
    const believed = this.#isTrusted(request, response) ? cookie : undefined
    const found = vouchedPrincipal(await this.#authenticate({ authorization, cookie: believed }))
    // Whom another of these found before stays: this one may know other credentials.
    const principal = found ?? principalOf(request)
    principals.set(request, principal)
    const context = keptContext(request)
    if (context !== undefined) context.principal = principal
  }
}

/** @throws {TypeError} a defect of the app: it would count nobody, and nobody would notice */
function assertAuthenticated(request: IncomingMessage, { policy }: LimitGate): void {
  if (principals.has(request)) return
  throw new TypeError(
    `rateLimit counts ${policy} by principal, but \`authentication\` has not looked at this request; mount it before, or name only policies by address in \`policies\``,
  )
}

/** @throws {UnauthorizedError | ForbiddenError} */
export function assertNativeAccess(access: Access, request: IncomingMessage): void {
  assertAccess(access, principalOf(request))
}

const openCalls = (options: ClientAddressOptions): OpenCall =>
  createOpenCall(createClientResolver(options), systemClock, silentLogger)

function setHeaders(response: ServerResponse, headers: FlatHeaders): void {
  for (let at = 0; at < headers.length; at += 2) {
    const [key, text] = [headers[at] as string, headers[at + 1] as string]
    if (key === 'vary') response.appendHeader(key, text)
    else response.setHeader(key, text)
  }
}

/** Adds to what a limiter before this one said. */
function addLimitFields(response: ServerResponse, { limitPolicy, limitState }: ActiveCall): void {
  if (limitPolicy === undefined || limitState === undefined || response.headersSent) return
  for (const [name, text] of [
    ['RateLimit-Policy', limitPolicy],
    ['RateLimit', limitState],
  ] as const) {
    const known = response.getHeader(name)
    response.setHeader(name, known === undefined ? text : `${String(known)}, ${text}`)
  }
}
