/** Names in lower case and values in turn, ready for `writeHead`. */
export type FlatHeaders = readonly string[]

/**
 * What every reply carries, written once. Closed by default: the reply is data, to be shown by nobody, cached by nobody
 * and framed by nobody.
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
// Framing, identity and hop-by-hop: a handler that sets one of these would contradict what the pipeline writes.
const reserved = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
])

/**
 * The block with a handler's headers in it; its own win over the block's.
 * @throws {TypeError} for a name or value that can't stand on the wire, or a name the pipeline owns. A defect.
 */
export function withReplyHeaders(block: FlatHeaders, extra: Readonly<Record<string, string>>): string[] {
  const added = Object.entries(extra).map(([key, text]) => [key.toLowerCase(), text] as const)
  for (const [key, text] of added) assertHeader(key, text)
  const names = new Set(added.map(([key]) => key))
  const kept: string[] = []
  for (let at = 0; at < block.length; at += 2) {
    if (!names.has(block[at] as string)) kept.push(block[at] as string, block[at + 1] as string)
  }
  for (const [key, text] of added) kept.push(key, text)
  return kept
}

/** @throws {TypeError} */
export function assertHeader(key: string, text: string): void {
  if (reserved.has(key)) throw new TypeError(`Header ${key} belongs to the pipeline; a handler can't set it`)
  if (!name.test(key))
    throw new TypeError(`Header name ${JSON.stringify(key)} has characters that no header name may have`)
  if (typeof text !== 'string' || !value.test(text)) {
    throw new TypeError(`The value of header ${key} has characters that no header value may have; encode it first`)
  }
}
