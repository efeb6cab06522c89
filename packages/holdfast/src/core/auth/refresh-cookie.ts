import { cookiePairs } from '../../foundation/cookie-pairs.ts'
import type { SignedIn } from './sessions.ts'

/**
 * The name under which browsers keep a refresh token. They take a cookie with `__Host-` only over TLS, for the whole
 * host and without a Domain, so that no other host, not even a sibling, can set or read it.
 *
 * @see RFC 6265bis §4.1.3.2
 */
export const refreshCookieName = '__Host-refresh'

const attributes = 'Path=/; Secure; HttpOnly; SameSite=Strict'

/**
 * The value of `Set-Cookie` that gives a browser its refresh token, out of reach of scripts. Leave the token out of the
 * reply's body then, and compare the `Origin` of each request that reads the cookie with your own.
 */
export function refreshCookie({ refreshToken, refreshExpiresInSeconds }: SignedIn): string {
  return `${refreshCookieName}=${refreshToken}; ${attributes}; Max-Age=${refreshExpiresInSeconds}`
}

/** The value of `Set-Cookie` that makes a browser forget its refresh token. */
export function clearRefreshCookie(): string {
  return `${refreshCookieName}=; ${attributes}; Max-Age=0`
}

/** Names and values as RFC 6265 §4.1.1 writes them, without quotes. */
const cookieValue = /^[!#-+\--:<-[\]-~]*$/

/**
 * One cookie of a `Cookie` header.
 *
 * @returns `undefined` when it is missing, when it stands there more than once, because somebody may have put another
 *   one beside ours, or when its value has characters that no cookie has
 */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined
  const values = cookiePairs(header)
    .filter(([key]) => key === name)
    .map(([, value]) => value)
  const [value] = values
  return values.length === 1 && value !== undefined && cookieValue.test(value) ? value : undefined
}
