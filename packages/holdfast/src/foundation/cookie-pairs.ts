/** A cookie as it stands in a `Cookie` header; without a value where no `=` follows the name. */
export type CookiePair = readonly [name: string, value: string | undefined]

/** The pairs of a `Cookie` header in their order, which proves nothing (RFC 6265 §5.4). */
export function cookiePairs(header: string): CookiePair[] {
  return header.split(';').map(toPair)
}

function toPair(part: string): CookiePair {
  const at = part.indexOf('=')
  if (at === -1) return [trimBlanks(part), undefined]
  return [trimBlanks(part.slice(0, at)), trimBlanks(part.slice(at + 1))]
}

/**
 * Of spaces and tabs only (RFC 6265 §5.2). `trim` takes no-break spaces too, and a name that begins with one does not
 * begin with `__Host-`: browsers let a sibling host set it.
 */
function trimBlanks(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && isBlank(text[from])) from += 1
  while (to > from && isBlank(text[to - 1])) to -= 1
  return text.slice(from, to)
}

const isBlank = (character: string | undefined): boolean => character === ' ' || character === '\t'
