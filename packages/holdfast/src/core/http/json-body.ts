import { isUtf8 } from 'node:buffer'
import { UnsupportedMediaTypeError, ValidationError, withoutStack } from '../../foundation/errors.ts'
import { findHostileMember, mayBeHostile } from '../validation/hostile-json.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/**
 * Whether a body may be read at all, decided by headers alone: one media type, one charset, no compression.
 * @throws {UnsupportedMediaTypeError}
 */
export function assertJsonHeaders(headers: Headers): void {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw unsupported(
      'request.unsupported_encoding',
      'Compressed bodies are not read; send the body without Content-Encoding.',
    )
  }
  if (!isJsonType(headers['content-type'])) {
    throw unsupported('request.unsupported_media_type', 'Send the body as application/json in UTF-8.')
  }
}

const plainJson = 'application/json'
// A media type, then at most one parameter, which may only be the charset (RFC 9110, section 8.3.1).
const jsonInUtf8 = /^application\/json[ \t]*(;[ \t]*charset=("utf-8"|utf-8)[ \t]*)?$/i

const isJsonType = (type: string | string[] | undefined): boolean =>
  type === plainJson || (typeof type === 'string' && jsonInUtf8.test(type))

/**
 * The value of a JSON body that came as bytes. Bytes that are not UTF-8, text that is not JSON, prototype keys, NUL, lone
 * surrogates and deep nesting are refused before any schema sees them.
 * @throws {ValidationError}
 */
export function parseJsonBody(bytes: Uint8Array, maxDepth: number): unknown {
  if (bytes.byteLength === 0) throw invalid('request.missing_body', 'This needs a JSON body; none was sent.')
  if (!isUtf8(bytes)) throw invalid('request.malformed_body', 'The body is not UTF-8.')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  const value = parseText(text)
  const issue = mayBeHostile(text, maxDepth) ? findHostileMember(value, maxDepth) : undefined
  if (issue !== undefined) {
    throw withoutStack(() => new ValidationError('The body is not acceptable.', { issues: [issue] }))
  }
  return value
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('request.malformed_body', 'The body is not valid JSON.')
  }
}

const invalid = (code: string, message: string): ValidationError =>
  withoutStack(() => new ValidationError(message, { code }))
const unsupported = (code: string, message: string): UnsupportedMediaTypeError =>
  withoutStack(() => new UnsupportedMediaTypeError(message, { code }))
