import type { Request, RequestHandler, Response } from 'express'
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

/**
 * Security headers on every reply. Mount it first.
 * @throws {TypeError} for headers that can't stand on the wire
 */
export function headers(options: HeadersOptions = {}): RequestHandler {
  const guard = new HeadersGuard(options)
  return (request, response, next) => {
    guard.apply(request, response)
    next()
  }
}

/**
 * Lets pages of listed origins read replies, and answers their preflights. Mount it before whatever may refuse.
 * @throws {TypeError | RangeError} for origins that would open more than they say
 */
export function cors(options: CorsOptions): RequestHandler {
  const guard = new CorsGuard(options)
  return (request, response, next) => {
    if (!guard.apply(request, response)) next()
  }
}

/**
 * Refuses with 429 what comes too often. By address it belongs before authentication, by principal after it, by a member
 * of the body after the body parser.
 *
 * A policy by principal on a request that {@link authentication} has not looked at is a defect: the call fails with a
 * `TypeError` that says so. Nobody at all, after authentication, is not counted by it.
 * @throws {TypeError} for a name that no policy has, and without any policy
 */
export function rateLimit(options: RateLimitOptions): RequestHandler {
  const guard = new RateLimitGuard(options)
  return unless((request, response) => guard.check(request, response, request.body))
}

/**
 * Refuses with 403 `request.foreign_origin` a call that changes something, carries a cookie and does not come from a page
 * of this service, or of an origin that `cors` trusts with credentials: browsers send cookies along whoever asks. One
 * without an `Origin` header is refused too. Mount it before routes that act on a cookie.
 * @throws {TypeError | RangeError} for origins or networks that make no sense
 */
export function sameOrigin(options: SameOriginOptions = {}): RequestHandler {
  const guard = new SameOriginGuard(options)
  return unless((request, response) => guard.check(request, response))
}

/** Finds out who calls; {@link principalOf} tells. Wrong credentials are refused with 401, missing ones are not. */
export function authentication(options: AuthenticationOptions): RequestHandler {
  const guard = new AuthenticationGuard(options)
  return unless((request, response) => guard.check(request, response))
}

/** Lets pass whom the rule allows; 401 for nobody, 403 for the others. Mount {@link authentication} before it. */
export function access(rule: AccessRule): RequestHandler {
  return unless((request) => assertNativeAccess(rule, request))
}

/** Goes on unless the check throws. */
function unless(check: (request: Request, response: Response) => void | Promise<void>): RequestHandler {
  return async (request, response, next) => {
    try {
      await check(request, response)
    } catch (thrown) {
      next(toNativeError(thrown))
      return
    }
    next()
  }
}

/** Who calls, after {@link authentication}; `undefined` for nobody. */
export const principalOf = (request: Request): Principal | undefined => principalOfRaw(request)

/**
 * Who calls, for handlers that need somebody. Put {@link access} before them all the same: it refuses before a body is read.
 * @throws {UnauthorizedError} when nobody is there; the app answers 401 as for other refusals
 */
export const requirePrincipal = (request: Request): Principal => requirePrincipalRaw(request)
