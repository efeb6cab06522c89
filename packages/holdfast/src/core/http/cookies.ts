import { cookiePairs } from '../../foundation/cookie-pairs.ts'
import { ForbiddenError, withoutStack } from '../../foundation/errors.ts'
import type { ActiveCall } from './active-call.ts'
import type { Cors } from './cors.ts'

/**
 * The cookies of a request by name. A name that came twice is left out: of two, one was planted, and nobody can say which.
 */
export function parseCookies(header: string | undefined): Record<string, string> {
  const cookies: Record<string, string> = Object.create(null)
  const twice = new Set<string>()
  for (const [name, value] of header === undefined ? [] : cookiePairs(header)) {
    if (value === undefined) continue
    if (name in cookies) twice.add(name)
    cookies[name] = unquote(value)
  }
  for (const name of twice) delete cookies[name]
  return { ...cookies }
}

const unquote = (value: string): string => (/^"[^"]*"$/.test(value) ? value.slice(1, -1) : value)

/** Whether cookies of this call may count as the visitor's own will. */
export type TrustsCookies = (call: ActiveCall) => boolean

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Browsers send cookies along whoever asks, so a call that changes something has to say where it comes from: from this
 * service's own origin, or from one that CORS trusts with credentials. No `Origin`, no trust.
 */
export function compileCookieTrust(cors: Cors | undefined): TrustsCookies {
  return (call) => {
    if (safeMethods.has(call.raw.method)) return true
    const { origin } = call
    if (origin === undefined) return false
    return isOwn(call, origin) || (cors?.credentials === true && cors.isAllowed(origin))
  }
}

function isOwn(call: ActiveCall, origin: string): boolean {
  const { host } = call.raw.headers
  if (typeof host !== 'string') return false
  return origin === `https://${host}` || (!call.isSecure && origin === `http://${host}`)
}

export const foreignOrigin = (): ForbiddenError =>
  withoutStack(
    () =>
      new ForbiddenError('This uses cookies and takes calls from pages of its own origin only.', {
        code: 'request.foreign_origin',
      }),
  )
