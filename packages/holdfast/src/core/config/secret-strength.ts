/** Fewer different characters than this is a pattern. 32 random hex digits stay under it once in some 10 million. */
const minDifferentCharacters = 8
/** A text that repeats a unit shorter than this is worth no more than the unit. */
const minUnitLength = 16
/** Share of steps to the same or a neighbouring character; random hex has some 0.18, `abcdef…` has 1. */
const maxNeighbourShare = 0.7

const placeholders = [
  'changeme',
  'change-me',
  'change_me',
  'change this',
  'replace-me',
  'replace_me',
  'placeholder',
  'your-secret',
  'your_secret',
  'yoursecret',
  'your-256-bit-secret',
  'supersecret',
  'super-secret',
  'super_secret',
  'default-secret',
  'default_secret',
]

/**
 * Says why a key could be guessed, or `undefined` when nothing speaks against it.
 * It catches words typed by hand and copied examples; it cannot tell how a text was made.
 *
 * @param minBytes - least length in UTF-8 bytes. Default 32, what HS256 needs (RFC 7518 §3.2)
 * @returns a clause that continues "the value …" and never holds the value
 */
export function secretWeakness(value: string, minBytes = 32): string | undefined {
  const bytes = Buffer.byteLength(value)
  if (bytes < minBytes) return `is too short: ${bytes} bytes, at least ${minBytes} are needed`
  const characters = Array.from(value)
  if (new Set(characters).size < Math.min(minDifferentCharacters, minBytes)) return 'has too few different characters'
  if (repeatedUnitLength(characters) < Math.min(minUnitLength, characters.length)) return 'repeats a short pattern'
  if (neighbourShare(characters) > maxNeighbourShare) return 'runs through the alphabet or the digits'
  const lower = value.toLowerCase()
  if (placeholders.some((word) => lower.includes(word))) return 'looks like a placeholder copied from an example'
  return undefined
}

/** Whether {@link secretWeakness} finds fault with `value`. */
export function isWeakSecret(value: string, minBytes = 32): boolean {
  return secretWeakness(value, minBytes) !== undefined
}

/** The length of the shortest unit whose repetition gives the text (Knuth–Morris–Pratt failure function). */
function repeatedUnitLength(characters: readonly string[]): number {
  const borders = [0]
  for (let at = 1, border = 0; at < characters.length; at++) {
    while (border > 0 && characters[at] !== characters[border]) border = borders[border - 1]!
    if (characters[at] === characters[border]) border++
    borders[at] = border
  }
  return characters.length - (borders.at(-1) ?? 0)
}

function neighbourShare(characters: readonly string[]): number {
  let neighbours = 0
  for (let at = 1; at < characters.length; at++) {
    if (Math.abs(characters[at]!.codePointAt(0)! - characters[at - 1]!.codePointAt(0)!) <= 1) neighbours++
  }
  return neighbours / Math.max(1, characters.length - 1)
}
