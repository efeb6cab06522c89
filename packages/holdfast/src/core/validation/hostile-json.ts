import type { Issue } from '../../foundation/errors.ts'

// Keys that reach a prototype when a careless merge copies them.
const prototypeKeys = new Set(['__proto__', 'constructor', 'prototype'])

/** True for a member name that could reach a prototype. */
export const isPrototypeKey = (key: string): boolean => prototypeKeys.has(key)

/**
 * True when a text that parsed as JSON may hold what {@link findHostileMember} looks for. A cheap scan that most bodies
 * pass, so that few are walked: escapes can spell anything, so any `\u` means a walk.
 */
export function mayBeHostile(text: string, maxDepth: number): boolean {
  return (
    text.includes('\\u') ||
    text.includes('"__proto__"') ||
    text.includes('"constructor"') ||
    text.includes('"prototype"') ||
    countOpenings(text, maxDepth) > maxDepth
  )
}

/** How many objects and lists open in the text, counted no further than one past `limit`. An upper bound of its depth. */
function countOpenings(text: string, limit: number): number {
  let openings = 0
  for (const opening of ['{', '[']) {
    // The engine's search, because most texts are long between two of them.
    for (let at = text.indexOf(opening); at >= 0 && openings <= limit; at = text.indexOf(opening, at + 1)) openings++
  }
  return openings
}

/**
 * The first member of a parsed JSON value that no schema should have to face: a key that reaches a prototype, text with
 * NUL or a lone surrogate (PostgreSQL refuses both, and they split in two what others read as one), or nesting beyond
 * `maxDepth`. Walks without recursion, so that depth costs memory and not the stack.
 */
export function findHostileMember(value: unknown, maxDepth: number): Issue | undefined {
  const pending: { value: unknown; path: readonly (string | number)[] }[] = [{ value, path: ['body'] }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value: member, path } = next
    if (typeof member === 'string') {
      if (isUnsafeText(member)) return unsafeText(path)
    } else if (typeof member === 'object' && member !== null) {
      // The path starts with the part's name, so its length is the depth of this member.
      if (path.length > maxDepth) return tooDeep(path.slice(0, 4), maxDepth)
      for (const key of Object.keys(member)) {
        if (isPrototypeKey(key)) return prototypeKey(path, key)
        if (isUnsafeText(key)) return unsafeText(path)
        const step = Array.isArray(member) ? Number(key) : key
        pending.push({ value: (member as Record<string, unknown>)[key], path: [...path, step] })
      }
    }
  }
  return undefined
}

/** True for text that is not plain Unicode: NUL, or half of a surrogate pair. */
export const isUnsafeText = (text: string): boolean => text.includes('\0') || !text.isWellFormed()

export const unsafeText = (path: Issue['path']): Issue => ({
  path,
  code: 'unsafe_text',
  message: 'Text must not hold NUL or half of a surrogate pair; send it as well-formed Unicode.',
})

export const prototypeKey = (path: Issue['path'], key: string): Issue => ({
  path: [...path, key],
  code: 'forbidden_key',
  message: 'This member name is never accepted; leave it out.',
})

const tooDeep = (path: Issue['path'], maxDepth: number): Issue => ({
  path,
  code: 'too_deep',
  message: `JSON may be nested ${maxDepth} levels deep; flatten it.`,
})
