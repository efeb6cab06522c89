import { wholeNumber } from '../../foundation/whole-number.ts'
import type { FlatHeaders } from './header-block.ts'

/** Which pages of other origins may read replies. Without it, none. */
export interface CorsOptions {
  /**
   * Exact origins, such as `https://app.example.com`; `https://*.example.com` for every subdomain of any depth, but not
   * for `https://example.com` itself; or `'*'` for everybody, alone and without credentials.
   */
  readonly origins: '*' | readonly string[]
  /** Whether pages may send cookies and read what comes back. Default false. */
  readonly credentials?: boolean
  /** Request headers that pages may send. Default: `authorization`, `content-type`, `idempotency-key`, `traceparent`. */
  readonly allowedHeaders?: readonly string[]
  /**
   * Reply headers that pages may read, besides `location`, `ratelimit`, `ratelimit-policy`, `retry-after` and
   * `x-request-id`.
   */
  readonly exposedHeaders?: readonly string[]
  /** Seconds a browser may remember the answer to a preflight, 0–86 400. Default 600. */
  readonly maxAgeSeconds?: number
}

/** CORS made ready at boot. */
export interface Cors {
  /** What every reply to this origin carries; also to none. */
  grant(origin: string | undefined): FlatHeaders
  /** What a preflight from this origin is told beyond {@link grant}. */
  preflight(origin: string, allow: string): FlatHeaders
  isAllowed(origin: string): boolean
  readonly credentials: boolean
  /** In words, for reviewers. */
  readonly rule: string
}

const defaultAllowed = ['authorization', 'content-type', 'idempotency-key', 'traceparent']
const alwaysExposed = ['location', 'ratelimit', 'ratelimit-policy', 'retry-after', 'x-request-id']
const headerName = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
const origin = /^https?:\/\/([a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(:\d{1,5})?$/
const longestOrigin = 300

/**
 * @throws {TypeError | RangeError} for a wildcard with credentials, `null`, and whatever no browser would send as origin
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export function compileCors(options: CorsOptions): Cors {
  const { origins, credentials = false, maxAgeSeconds = 600 } = options
  if (credentials && origins === '*') {
    throw new TypeError('cors: `*` with credentials would let every page act as its visitor; list the origins')
  }
  wholeNumber('cors: maxAgeSeconds', maxAgeSeconds, 0, 86_400)
  const isAllowed = origins === '*' ? () => true : compileOrigins(origins)
  const allowed = headerList('allowedHeaders', options.allowedHeaders ?? defaultAllowed)
  const exposed = headerList('exposedHeaders', [...alwaysExposed, ...(options.exposedHeaders ?? [])])
  const credentialed = credentials ? ['access-control-allow-credentials', 'true'] : []
  const refused: FlatHeaders = origins === '*' ? [] : ['vary', 'Origin']
  const preflightHeaders = [
    ['access-control-allow-headers', allowed],
    ['access-control-max-age', String(maxAgeSeconds)],
  ].flat()
  const grantTo = (allowedOrigin: string): FlatHeaders => [
    ...refused,
    'access-control-allow-origin',
    origins === '*' ? '*' : allowedOrigin,
    ...credentialed,
    'access-control-expose-headers',
    exposed,
  ]
  return {
    grant: (sent) => (sent !== undefined && isAllowed(sent) ? grantTo(sent) : refused),
    preflight: (sent, allow) => (isAllowed(sent) ? ['access-control-allow-methods', allow, ...preflightHeaders] : []),
    isAllowed,
    credentials,
    rule: `${origins === '*' ? 'every origin' : origins.join(', ')}${credentials ? ', with credentials' : ''}`,
  }
}

function compileOrigins(origins: readonly string[]): (sent: string) => boolean {
  const exact = new Set<string>()
  const patterns: ((sent: string) => boolean)[] = []
  if (!Array.isArray(origins) || origins.length === 0) {
    throw new TypeError(
      "cors: `origins` names none; leave cors out when no page of another origin may read, or write '*'",
    )
  }
  for (const one of origins) {
    const isPattern = one.includes('://*.')
    assertOrigin(one, isPattern ? one.replace('://*.', '://') : one)
    if (isPattern) patterns.push(compilePattern(one))
    else exact.add(one)
  }
  return (sent) => exact.has(sent) || patterns.some((matches) => matches(sent))
}

function assertOrigin(written: string, plain: string): void {
  if (written === 'null') throw new TypeError('cors: any sandboxed page sends the origin `null`; it can not be allowed')
  if (written === '*') throw new TypeError("cors: '*' stands alone; write origins: '*'")
  const hasHost = written === plain || plain.includes('.')
  if (hasHost && origin.test(plain) && new URL(plain).origin === plain) return
  throw new TypeError(
    `cors: ${JSON.stringify(written)} is no origin; write scheme, host in lower case and a port other than the default, such as https://app.example.com or https://*.example.com`,
  )
}

/** Compares the whole origin: what ends alike, such as `https://evil-example.com`, is not alike. */
function compilePattern(pattern: string): (sent: string) => boolean {
  const [scheme = '', rest = ''] = pattern.split('*')
  return (sent) => sent.length <= longestOrigin && sent.startsWith(scheme) && sent.endsWith(rest) && origin.test(sent)
}

function headerList(option: string, names: readonly string[]): string {
  const lower = names.map((name) => name.toLowerCase())
  const wrong = lower.find((name) => name === '*' || !headerName.test(name))
  if (wrong !== undefined)
    throw new TypeError(`cors: ${option} holds ${JSON.stringify(wrong)}, which is no header name`)
  return [...new Set(lower)].join(', ')
}
