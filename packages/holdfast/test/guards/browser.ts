import { apiHost } from './service.ts'
import type { Received, Send } from './wire.ts'

interface Cookie {
  readonly value: string
  readonly host: string
  readonly domain: string | undefined
  readonly sameSite: 'strict' | 'lax' | 'none'
}

export interface PageRequest {
  readonly method?: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
}

const apiOrigin = `https://${apiHost}`

/**
 * What browsers do with a call from a page to the service: which cookies go along and whether the page may read what
 * comes back. No more of it than these attacks need, and nothing kinder than the standards.
 *
 * @see https://fetch.spec.whatwg.org/#cors-check
 * @see RFC 6265bis, sections 5.6 and 5.8
 */
export class Browser {
  readonly #send: Send
  readonly #cookies = new Map<string, Cookie>()

  constructor(send: Send) {
    this.#send = send
  }

  /**
   * A `fetch` of a page, with `credentials: 'include'` unless told otherwise.
   *
   * @returns nothing when the browser keeps the reply to itself, or does not send at all
   */
  async fetch(
    page: string,
    { method = 'GET', path, body }: PageRequest,
    credentials: 'include' | 'omit' = 'include',
  ): Promise<Received | undefined> {
    const isForeign = page !== apiOrigin
    // JSON is no type of a form: the browser asks first.
    if (isForeign && body !== undefined && !(await this.#isAllowed(page, path, method, credentials))) return undefined
    const cookies = credentials === 'include' ? this.#cookiesFor(page) : ''
    const received = await this.#send({
      method,
      path,
      body,
      headers: {
        ...(isForeign || method !== 'GET' ? { origin: page } : {}),
        ...(cookies === '' ? {} : { cookie: cookies }),
      },
    })
    if (credentials === 'include') for (const one of received.cookies) this.keep(one)
    return !isForeign || isReadable(received, page, credentials) ? received : undefined
  }

  /** Takes a cookie from the service, unless a rule says that it can't be its. */
  keep(setCookie: string): void {
    const [pair = '', ...rest] = setCookie.split(';').map((part) => part.trim())
    const mark = pair.indexOf('=')
    const [name, value] = [pair.slice(0, mark), pair.slice(mark + 1)]
    const attributes = new Map(
      rest.map((part) => {
        const [key = '', text = ''] = part.split('=')
        return [key.toLowerCase(), text]
      }),
    )
    const sameSite = (attributes.get('samesite')?.toLowerCase() ?? 'lax') as Cookie['sameSite']
    const isSecure = attributes.has('secure')
    const isHostOnly = isSecure && attributes.get('path') === '/' && !attributes.has('domain')
    if (name.startsWith('__Host-') && !isHostOnly) return
    if (sameSite === 'none' && !isSecure) return
    if (attributes.get('max-age') === '0') this.#cookies.delete(name)
    else this.#cookies.set(name, { value, host: apiHost, domain: attributes.get('domain'), sameSite })
  }

  async #isAllowed(page: string, path: string, method: string, credentials: 'include' | 'omit'): Promise<boolean> {
    const answer = await this.#send({
      method: 'OPTIONS',
      path,
      headers: {
        origin: page,
        'access-control-request-method': method,
        'access-control-request-headers': 'content-type',
      },
    })
    const allowed = answer.headers['access-control-allow-headers']?.split(', ') ?? []
    return isReadable(answer, page, credentials) && allowed.includes('content-type')
  }

  #cookiesFor(page: string): string {
    const isSameSite = siteOf(page) === siteOf(apiOrigin)
    return [...this.#cookies]
      .filter(([, { sameSite }]) => isSameSite || sameSite === 'none')
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ')
  }
}

function isReadable({ headers }: Received, page: string, credentials: 'include' | 'omit'): boolean {
  const allowed = headers['access-control-allow-origin']
  if (credentials === 'omit' && allowed === '*') return true
  if (allowed !== page) return false
  return credentials === 'omit' || headers['access-control-allow-credentials'] === 'true'
}

/** The part of a name that somebody registered: here, its last two labels. */
const siteOf = (origin: string): string => new URL(origin).hostname.split('.').slice(-2).join('.')

/** What becomes of a reply that somebody opens by its address. */
export function openAsPage({ headers, text }: Received): string {
  const type = headers['content-type'] ?? ''
  const isSniffed = type === '' && headers['x-content-type-options'] !== 'nosniff' && /^\s*</.test(text)
  if (!type.startsWith('text/html') && !isSniffed) return `shown as text (${type.split(';')[0]})`
  const runsNothing = /default-src 'none'/.test(headers['content-security-policy'] ?? '')
  return runsNothing ? 'a page whose script does not run (content-security-policy)' : 'its script runs'
}

/** What becomes of a reply that a page of another origin names as the source of a script. */
export function includeAsScript({ headers }: Received): string {
  if (headers['cross-origin-resource-policy'] === 'same-origin') return 'withheld (cross-origin-resource-policy)'
  const isScript = /^(text|application)\/(javascript|ecmascript)/.test(headers['content-type'] ?? '')
  return headers['x-content-type-options'] === 'nosniff' && !isScript ? 'not run (nosniff)' : 'its script runs'
}

/** A cache before the service that knows a reply by its address alone and keeps all that it is not told not to. */
export function sharedCache(send: Send): Send {
  const kept = new Map<string, Received>()
  return async (sent) => {
    const known = kept.get(sent.path)
    if (known !== undefined) return known
    const received = await send(sent)
    const isPrivate = /\b(no-store|private)\b/.test(received.headers['cache-control'] ?? '')
    if (received.status === 200 && !isPrivate) kept.set(sent.path, received)
    return received
  }
}
