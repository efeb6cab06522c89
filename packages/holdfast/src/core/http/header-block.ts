/** Names in lower case and values in turn, ready for `writeHead`. */
export type FlatHeaders = readonly string[]

/**
 * What every reply carries, written once. Closed by default: the reply is data, to be shown by nobody, cached by nobody
 * and framed by nobody. What Helmet decides for `apiHeaders` of `holdfast/headers`, as a constant, so that a reply that
 * is made when all else failed carries it too; a test compares the two.
 */
export const defaultHeaders: FlatHeaders = [
  ['content-security-policy', "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"],
  ['cross-origin-resource-policy', 'same-origin'],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['cache-control', 'no-store'],
].flat()

const name = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
// Visible ASCII, blank and tab; anything else could end the header and begin another (RFC 9110, section 5.5).
const value = /^[\t\x20-\x7e]*$/
// Framing, identity and hop-by-hop, and what the limiter says: a handler that sets one of these would contradict what
// the pipeline writes.
const reserved = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'ratelimit',
  'ratelimit-policy',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
])

/**
 * The block with a handler's headers in it; its own win over the block's, except for `vary`, where both hold.
 * @throws {TypeError} for a name or value that can't stand on the wire, or a name the pipeline owns. A defect.
 */
export function withReplyHeaders(block: FlatHeaders, extra: Readonly<Record<string, string>>): string[] {
  const added = new Map<string, string>()
  for (const [key, text] of Object.entries(extra)) {
    assertHeader(key.toLowerCase(), text)
    added.set(key.toLowerCase(), text)
  }
  const kept: string[] = []
  for (let at = 0; at < block.length; at += 2) {
    const [key, text] = [block[at] as string, block[at + 1] as string]
    const own = added.get(key)
    if (own === undefined) kept.push(key, text)
    else if (key === 'vary') added.set(key, `${text}, ${own}`)
  }
  for (const [key, text] of added) kept.push(key, text)
  return kept
}

/** Whether a header tells caches what they may keep (RFC 9111, section 5.2; RFC 9213 for those of one network). */
export const tellsCaches = (key: string): boolean => key.endsWith('cache-control') || key === 'surrogate-control'

/** Whether such a header keeps a reply out of caches that others read. */
export const keepsPrivate = (text: string): boolean => /(^|,\s*)(no-store|private)\s*(,|$)/i.test(text)

/** Has no cache serve to others what these headers go with. */
export function keepFromCaches(headers: string[]): void {
  let isSaid = false
  for (let at = 0; at < headers.length; at += 2) {
    const key = headers[at] as string
    if (!tellsCaches(key)) continue
    if (!keepsPrivate(headers[at + 1] as string)) headers[at + 1] = 'no-store'
    if (key === 'cache-control') isSaid = true
  }
  if (!isSaid) headers.push('cache-control', 'no-store')
}

/** @throws {TypeError} */
export function assertHeader(key: string, text: string): void {
  if (reserved.has(key) || key.startsWith('access-control-')) {
    throw new TypeError(`Header ${key} belongs to the pipeline; a handler can't set it`)
  }
  if (key === 'x-content-type-options' && text !== 'nosniff') {
    throw new TypeError(
      `Header ${key} is ${JSON.stringify(text)}; only nosniff keeps browsers from guessing what is a script`,
    )
  }
  if (!name.test(key))
    throw new TypeError(`Header name ${JSON.stringify(key)} has characters that no header name may have`)
  if (typeof text !== 'string' || !value.test(text)) {
    throw new TypeError(`The value of header ${key} has characters that no header value may have; encode it first`)
  }
}
