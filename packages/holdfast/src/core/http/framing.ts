import { AppError, ValidationError, withoutStack } from '../../foundation/errors.ts'
import type { RawCall } from './raw-call.ts'

const singular = new Set(['host', 'content-type', 'authorization', 'content-length', 'transfer-encoding'])

/**
 * Refuses requests that two readers could understand differently: a header twice that may come once, no host, framing
 * beyond plain `chunked`; and those with so many headers that some may be missing.
 *
 * @throws {ValidationError | AppError}
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-11.2
 */
export function assertFraming({ rawHeaders, headers, httpVersion }: RawCall): void {
  if (rawHeaders.length >= mostRawHeaders) throw tooManyHeaders()
  let seen = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const bit = singularBit(name)
    if ((seen & bit) !== 0) throw ambiguous(`Header ${name.toLowerCase()} was sent more than once; send it once.`)
    seen |= bit
  }
  const { host } = headers
  if (httpVersion === '1.1' && !host) throw ambiguous('The Host header is missing.')
  if (typeof host === 'string' && !validHost.test(host)) throw ambiguous('The Host header names no host.')
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding !== 'chunked') throw ambiguous('Only plain chunked transfer encoding is read.')
}

// Names and values. Before 24.21 node:http forgets without a word what comes after the thousandth header, such as the
// address that a proxy writes at the end.
const mostRawHeaders = 2000

/** One bit for each name that may come once. Their lengths differ, and rule out nearly all others without a look-up. */
function singularBit(name: string): number {
  const { length } = name
  if (length !== 4 && length !== 12 && length !== 13 && length !== 14 && length !== 17) return 0
  return singular.has(name.toLowerCase()) ? 1 << length : 0
}

// RFC 3986, section 3.2.2: a name or an IPv4 address, or IPv6 in brackets; then maybe a port.
const validHost = /^(\[[0-9a-f:.]+\]|[\w.~%!$&'()*+,;=-]*)(:\d*)?$/i

const ambiguous = (message: string): ValidationError =>
  withoutStack(() => new ValidationError(message, { code: 'request.ambiguous' }))

const tooManyHeaders = (): AppError =>
  withoutStack(
    () =>
      new AppError('headers-too-large', 'request.headers_too_large', 'The headers are more than this server reads.'),
  )
