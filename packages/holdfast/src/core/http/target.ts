import { isPrototypeKey, isUnsafeText, prototypeKey, unsafeText } from '../validation/hostile-json.ts'
import { type Issue, ValidationError, withoutStack } from '../../foundation/errors.ts'

/** A request target, cut at its first question mark. */
export interface Target {
  readonly path: string
  /** Without the question mark; empty when there is none. */
  readonly search: string
}

const origin = /^https?:\/\/[^/?#]*/i

/**
 * A target as a path, whatever form it came in. Absolute form has to be accepted (RFC 9112, section 3.2.2); the `*` of
 * OPTIONS is no path and stays.
 */
export function toOriginForm(target: string): string {
  if (target.charCodeAt(0) === slash || target === '*') return target
  const path = target.replace(origin, '')
  return path.charCodeAt(0) === slash ? path : `/${path}`
}

/** Cuts a request target as it came on the wire. */
export function splitTarget(target: string): Target {
  const local = toOriginForm(target)
  const mark = local.indexOf('?')
  return mark < 0 ? { path: local, search: '' } : { path: local.slice(0, mark), search: local.slice(mark + 1) }
}

/**
 * A path's segments, percent-decoded one by one so that `%2F` stays inside its segment.
 * @throws {ValidationError} for an encoding that is broken, and for NUL
 */
export function decodeSegments(path: string): string[] {
  return path.slice(1).split('/').map(decodeSegment)
}

function decodeSegment(segment: string): string {
  const text = segment.includes('%') ? decodeOrRefuse(segment, malformedPath) : segment
  if (isUnsafeText(text) || notUrlCharacters.test(segment)) throw malformedPath()
  return text
}

/** One member of a query: text, or a list of texts when it was sent more than once. */
export type QueryValue = string | string[]

/**
 * Reads a query string into scalars and lists. A member that is sent twice is a list, so that a schema which expects
 * one text refuses it; members in `listKeys` are always lists.
 * @throws {ValidationError} for a broken percent-encoding, text that is not Unicode, and prototype keys
 */
export function parseQuery(search: string, listKeys: ReadonlySet<string>): Record<string, QueryValue> {
  const query: Record<string, QueryValue> = {}
  const issues: Issue[] = []
  for (const pair of search.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const key = decodeQueryText(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decodeQueryText(pair.slice(equals + 1))
    const issue = findQueryIssue(key, value)
    if (issue) issues.push(issue)
    else append(query, key, value, listKeys)
  }
  if (issues.length > 0)
    throw withoutStack(() => new ValidationError('The query is not acceptable.', { issues: issues.slice(0, 20) }))
  return query
}

function findQueryIssue(key: string, value: string): Issue | undefined {
  if (isPrototypeKey(key)) return prototypeKey(['query'], key)
  return isUnsafeText(key) || isUnsafeText(value) ? unsafeText(['query']) : undefined
}

function append(query: Record<string, QueryValue>, key: string, value: string, listKeys: ReadonlySet<string>): void {
  const known = Object.hasOwn(query, key) ? query[key] : undefined
  if (known === undefined) query[key] = listKeys.has(key) ? [value] : value
  else if (typeof known === 'string') query[key] = [known, value]
  else known.push(value)
}

function decodeQueryText(text: string): string {
  if (notUrlCharacters.test(text)) throw malformedQuery()
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  return spaced.includes('%') ? decodeOrRefuse(spaced, malformedQuery) : spaced
}

function decodeOrRefuse(text: string, refusal: () => ValidationError): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refusal()
  }
}

const slash = 0x2f
// A URL is printable ASCII (RFC 3986, section 2); Node hands on raw bytes beyond it.
const notUrlCharacters = /[^\x21-\x7e]/

const malformedPath = (): ValidationError =>
  withoutStack(
    () =>
      new ValidationError('The path is not valid: percent-encode it as UTF-8, without NUL.', {
        code: 'request.malformed_path',
      }),
  )
const malformedQuery = (): ValidationError =>
  withoutStack(
    () =>
      new ValidationError('The query is not valid: percent-encode it as UTF-8.', { code: 'request.malformed_query' }),
  )
