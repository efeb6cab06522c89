import type { FastifyPluginCallback, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { AccessRule } from '../../core/auth/access.ts'
import type { Principal } from '../../core/auth/principal.ts'
import type { CorsOptions } from '../../core/http/cors.ts'
import { toNativeError } from '../node/framework-error.ts'
import {
  AuthenticationGuard,
  type AuthenticationOptions,
  assertNativeAccess,
  CorsGuard,
  HeadersGuard,
  type HeadersOptions,
  principalOf as principalOfRaw,
  RateLimitGuard,
  type RateLimitOptions,
  requirePrincipal as requirePrincipalRaw,
  SameOriginGuard,
  type SameOriginOptions,
} from '../node/guards.ts'
import { ownedByParent } from './owned-by-parent.ts'

/** A native plugin for security headers on every reply. Register it first. */
export const headers: FastifyPluginCallback<HeadersOptions> = ownedByParent((app, options, done) => {
  const guard = new HeadersGuard(options)
  app.addHook('onRequest', (request, reply, next) => {
    guard.apply(request.raw, reply.raw)
    next()
  })
  done()
})

/** A native plugin that lets pages of listed origins read replies, and answers their preflights. Register it second. */
export const cors: FastifyPluginCallback<CorsOptions> = ownedByParent((app, options, done) => {
  const guard = new CorsGuard(options)
  app.addHook('onRequest', (request, reply, next) => {
    if (guard.apply(request.raw, reply.raw)) reply.hijack()
    else next()
  })
  done()
})

/**
 * A native plugin that refuses with 429 what comes too often, to any route, by address and, after {@link authentication},
 * by principal. For single routes, and by a member of the body, use {@link limit}.
 * @throws {TypeError} for a name that no policy has, for a policy by the body, and without any policy
 */
export const rateLimit: FastifyPluginCallback<RateLimitOptions> = ownedByParent((app, options, done) => {
  const guard = new RateLimitGuard(options)
  guard.assertNeedsNoBody()
  app.addHook('onRequest', hookOf(guard))
  done()
})

/**
 * A hook that refuses with 429 what comes too often. By address it belongs into `onRequest`, by principal after
 * authentication, by a member of the body into `preHandler`.
 *
 * A policy by principal on a request that {@link authentication} has not looked at is a defect: the call fails with a
 * `TypeError` that says so. Nobody at all, after authentication, is not counted by it.
 * @throws {TypeError} for a name that no policy has, and without any policy
 */
export function limit(options: RateLimitOptions): onRequestAsyncHookHandler {
  return hookOf(new RateLimitGuard(options))
}

const hookOf =
  (guard: RateLimitGuard): onRequestAsyncHookHandler =>
  (request, reply) =>
    orNative(() => guard.check(request.raw, reply.raw, request.body))

/**
 * A hook that refuses with 403 `request.foreign_origin` a call that changes something, carries a cookie and does not come
 * from a page of this service, or of an origin that `cors` trusts with credentials: browsers send cookies along whoever
 * asks. One without an `Origin` header is refused too. It belongs into `onRequest` of routes that act on a cookie.
 * @throws {TypeError | RangeError} for origins or networks that make no sense
 */
export function sameOrigin(options: SameOriginOptions = {}): onRequestAsyncHookHandler {
  const guard = new SameOriginGuard(options)
  return (request, reply) => orNative(() => guard.check(request.raw, reply.raw))
}

/** A native plugin that finds out who calls; {@link principalOf} tells. Wrong credentials are refused with 401, missing ones are not. */
export const authentication: FastifyPluginCallback<AuthenticationOptions> = ownedByParent((app, options, done) => {
  const guard = new AuthenticationGuard(options)
  app.addHook('onRequest', (request, reply) => orNative(() => guard.check(request.raw, reply.raw)))
  done()
})

/** A hook that lets pass whom the rule allows; 401 for nobody, 403 for the others. Register {@link authentication} before. */
export function access(rule: AccessRule): onRequestAsyncHookHandler {
  return (request) => orNative(() => assertNativeAccess(rule, request.raw))
}

/** Who calls, after {@link authentication}; `undefined` for nobody. */
export const principalOf = (request: FastifyRequest): Principal | undefined => principalOfRaw(request.raw)

/**
 * Who calls, for handlers that need somebody. Put {@link access} before them all the same: it refuses before a body is read.
 * @throws {UnauthorizedError} when nobody is there; the app answers 401 as for other refusals
 */
export const requirePrincipal = (request: FastifyRequest): Principal => requirePrincipalRaw(request.raw)

async function orNative(check: () => void | Promise<void>): Promise<void> {
  try {
    await check()
  } catch (thrown) {
    throw toNativeError(thrown)
  }
}
