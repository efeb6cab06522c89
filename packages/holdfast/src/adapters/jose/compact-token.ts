import { isUtf8 } from 'node:buffer'
import { withoutStack } from '../../foundation/errors.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** A token taken apart. Nothing in it is believed yet. */
export interface CompactToken {
  readonly header: JsonObject
  readonly payload: JsonObject
}

/** Deeper claims than this are nobody's; a bound for whoever walks them. */
const maxDepth = 16

// RFC 4648 §3.5: the bits that pad the last character are zero, or one token could be spelled in several ways.
const base64url = '(?!\\.|$)(?:[\\w-]{4})*(?:[\\w-][AQgw]|[\\w-]{2}[AEIMQUYcgkosw048])?'
const compactForm = new RegExp(`^${base64url}\\.${base64url}\\.${base64url}$`)

/**
 * Takes a compact JWS apart (RFC 7515 §7.1): three parts, none empty, in canonical base64url; header and payload
 * objects in UTF-8 and JSON without a member that stands twice. `undefined` for all else.
 */
export function readCompactToken(token: string): CompactToken | undefined {
  if (!compactForm.test(token)) return undefined
  const first = token.indexOf('.')
  const header = readObject(token.slice(0, first))
  if (header === undefined) return undefined
  const payload = readObject(token.slice(first + 1, token.indexOf('.', first + 1)))
  return payload === undefined ? undefined : { header, payload }
}

function readObject(part: string): JsonObject | undefined {
  const bytes = Buffer.from(part, 'base64url')
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString()
  let value: unknown
  try {
    value = withoutStack(() => JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
  return isObject(value) && hasPlainMembers(text, value) ? value : undefined
}

/**
 * Whether no member stands twice (RFC 7515 §4: parsers disagree on which of them counts) and none is `__proto__`.
 * Outside strings each member has one colon, and `JSON.parse` keeps one of several members of one name.
 */
function hasPlainMembers(text: string, value: JsonObject): boolean {
  let colons = 0
  for (let at = 0, isInString = false; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (isInString && code === backslash) at++
    else if (code === quote) isInString = !isInString
    else if (code === colon && !isInString) colons++
  }
  return colons === countMembers(value, maxDepth)
}

const quote = 0x22
const colon = 0x3a
const backslash = 0x5c

function countMembers(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth === 0) return Number.NaN
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item, depth - 1)
    return members
  }
  for (const [name, item] of Object.entries(value)) {
    if (name === '__proto__') return Number.NaN
    members += 1 + countMembers(item, depth - 1)
  }
  return members
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
