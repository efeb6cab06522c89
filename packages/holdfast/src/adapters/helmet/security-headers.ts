import helmet, { type HelmetOptions } from 'helmet'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { assertHeader } from '../../core/http/header-block.ts'
import type { HeaderPolicy } from '../../core/http/header-policy.ts'

export interface SecurityHeadersOptions {
  /** `cache-control` of replies whose handler says nothing about it; `false` for none. Default `no-store` */
  readonly cacheControl?: string | false
}

/**
 * The headers that Helmet makes of these options, made once: a reply costs no more for having them.
 * What `apiHeaders` and `pageHeaders` give is stricter than Helmet's own defaults, which stand where you say nothing.
 *
 * @throws {TypeError} for an option that Helmet does not have, which it would pass over without a word, and for a
 *   directive that is a function: the headers are the same for every reply
 * @throws {Error} for what Helmet refuses
 * @see https://helmetjs.github.io
 */
export function securityHeaders(
  options: Readonly<HelmetOptions> = {},
  { cacheControl = 'no-store' }: SecurityHeadersOptions = {},
): HeaderPolicy {
  assertOptions(options)
  const written = record(options)
  if (cacheControl !== false) written.set('cache-control', cacheControl)
  for (const [name, value] of written) assertHeader(name, value)
  // Sent over plain HTTP it would be ignored (RFC 6797 section 7.2), and a development page would not notice its loss.
  const transport = 'strict-transport-security'
  const secure = [...written].filter(([name]) => name === transport)
  const always = [...written].filter(([name]) => name !== transport)
  return Object.freeze({ headers: Object.freeze(always.flat()), secureHeaders: Object.freeze(secure.flat()) })
}

/**
 * For replies that are data: shown by nobody, framed by nobody, cached by nobody. What every reply carries unless a
 * route says otherwise.
 */
export const apiHeaders = (): HeaderPolicy =>
  securityHeaders({
    ...only,
    contentSecurityPolicy: closed({ 'default-src': none, 'base-uri': none, 'frame-ancestors': none }),
    referrerPolicy: { policy: 'no-referrer' },
  })

/** Where a page may take things from beside its own origin: `https://cdn.example.com`, `'sha256-…'`, `data:`. */
export interface PageHeadersOptions {
  readonly scriptSrc?: readonly string[]
  readonly styleSrc?: readonly string[]
  readonly imgSrc?: readonly string[]
  readonly fontSrc?: readonly string[]
  /** Where scripts of the page may send requests. */
  readonly connectSrc?: readonly string[]
  /** Where forms may be sent. */
  readonly formAction?: readonly string[]
}

/**
 * For routes that serve pages: everything from their own origin and from where you allow, in no frame, with no plugins.
 * Inline scripts do not run; allow one by its hash.
 *
 * @throws {TypeError} for script sources that let any script in, such as `'unsafe-inline'` or `https:`; who needs them
 *   says so to {@link securityHeaders}
 */
export function pageHeaders(options: PageHeadersOptions = {}): HeaderPolicy {
  const open = options.scriptSrc?.find((source) => letsAnyIn.has(source.toLowerCase()))
  if (open !== undefined)
    throw new TypeError(`scriptSrc holds ${open}, which lets any script in; name origins or hashes`)
  const self = (sources: readonly string[] = []) => ["'self'", ...sources]
  return securityHeaders(
    {
      ...only,
      contentSecurityPolicy: closed({
        'default-src': self(),
        'script-src': self(options.scriptSrc),
        'style-src': self(options.styleSrc),
        'img-src': self(options.imgSrc),
        'font-src': self(options.fontSrc),
        'connect-src': self(options.connectSrc),
        'form-action': self(options.formAction),
        'object-src': none,
        'base-uri': none,
        'frame-ancestors': none,
      }),
      crossOriginOpenerPolicy: { policy: 'same-origin' },
      originAgentCluster: true,
      // With `no-referrer` browsers send `Origin: null` from forms to their own origin, and an Origin check refuses them.
      referrerPolicy: { policy: 'same-origin' },
    },
    { cacheControl: 'no-cache' },
  )
}

const none = ["'none'"]
const letsAnyIn = new Set(['*', "'unsafe-inline'", "'unsafe-eval'", 'http:', 'https:', 'data:', 'blob:'])

const closed = (directives: Record<string, readonly string[]>) => ({ useDefaults: false, directives }) as const

/** What both presets share; the headers that were left out answer browsers nobody uses any more. */
const only = {
  crossOriginOpenerPolicy: false,
  crossOriginResourcePolicy: { policy: 'same-origin' },
  originAgentCluster: false,
  // ASVS 5.0 V3.4.1: one year, and the subdomains.
  strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: true },
  xContentTypeOptions: true,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xFrameOptions: { action: 'deny' },
  xPermittedCrossDomainPolicies: false,
  xPoweredBy: false,
  xXssProtection: false,
} as const satisfies HelmetOptions

/** Runs Helmet against a response that only listens. */
function record(options: Readonly<HelmetOptions>): Map<string, string> {
  const written = new Map<string, string>()
  const response = {
    setHeader: (name: string, value: string) => written.set(name.toLowerCase(), spaced(name.toLowerCase(), value)),
    removeHeader: () => {},
  }
  helmet(options)({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error !== undefined) throw error as Error
  })
  return written
}

/** Helmet writes `a;b`; people read `a; b`. No directive holds a semicolon: Helmet refuses one. */
const spaced = (name: string, value: string): string =>
  name.startsWith('content-security-policy') ? value.replaceAll(';', '; ') : value

const known = new Set(
  `contentSecurityPolicy crossOriginEmbedderPolicy crossOriginOpenerPolicy crossOriginResourcePolicy originAgentCluster
  referrerPolicy strictTransportSecurity hsts xContentTypeOptions noSniff xDnsPrefetchControl dnsPrefetchControl
  xDownloadOptions ieNoOpen xFrameOptions frameguard xPermittedCrossDomainPolicies permittedCrossDomainPolicies
  xPoweredBy hidePoweredBy xXssProtection xssFilter`.split(/\s+/),
)

function assertOptions(options: Readonly<HelmetOptions>): void {
  const unknown = Object.keys(options).find((name) => !known.has(name))
  if (unknown !== undefined) throw new TypeError(`Helmet has no option ${unknown}; it has ${[...known].join(', ')}`)
  const policy = options.contentSecurityPolicy
  if (typeof policy !== 'object') return
  for (const [name, value] of Object.entries(policy.directives ?? {})) {
    if (typeof value === 'object' && value !== null && [...value].some((source) => typeof source === 'function')) {
      throw new TypeError(`Directive ${name} holds a function; headers are made once, so allow scripts by hash`)
    }
  }
}
