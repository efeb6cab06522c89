import { ok, textOf } from '../../core/http/reply.ts'
import { get, type Route } from '../../core/http/route.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'
import { jwksText, type KeySet } from './key-set.ts'

export interface JwksRouteOptions {
  /** Default `/.well-known/jwks.json`. */
  readonly path?: string
  /**
   * How long others may keep what they read, 0 to 86 400. A new key is announced at least this long before the first
   * token is signed with it. Default 600.
   */
  readonly maxAgeSeconds?: number
}

/**
 * A public route with the public keys as they are at each call, for other services that verify our access tokens.
 *
 * @throws {RangeError} for a `maxAgeSeconds` out of its bounds
 * @see RFC 7517 §5 and §8.5.2
 */
export function jwksRoute(keys: Pick<KeySet, 'publicJwks'>, options: JwksRouteOptions = {}): Route {
  const { path = '/.well-known/jwks.json', maxAgeSeconds = 600 } = options
  wholeNumber('maxAgeSeconds', maxAgeSeconds, 0, 86_400)
  const headers = { 'cache-control': `public, max-age=${maxAgeSeconds}` }
  return get(path, { access: 'public', reply: { 200: textOf('application/jwk-set+json') } }, () =>
    ok(jwksText(keys), headers),
  )
}
