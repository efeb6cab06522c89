import { ValidationError, withoutStack } from '../../foundation/errors.ts'

/** A cursor is no longer than this, so that it fits into a URL and costs nothing to refuse. */
export const maxCursorLength = 4096

// What a cursor looks like inside; another number for another look, so that old ones are refused and not misread.
const version = 1

/**
 * Where the next page of a list begins, as a text that clients send back as they got it.
 *
 * @param list - which list, and which order of it, so that a cursor of one is not read as that of another
 * @param key - what the last item of the page is ordered by, as texts. Whoever takes cursors apart can read it
 * @throws {RangeError} when the cursor would be longer than 4 096 characters
 */
export function toCursor(list: string, key: readonly string[]): string {
  const cursor = Buffer.from(JSON.stringify([version, list, ...key])).toString('base64url')
  if (cursor.length <= maxCursorLength) return cursor
  throw new RangeError(
    `A cursor has at most ${maxCursorLength} characters; that of ${list} has ${cursor.length}. Order it by something shorter`,
  )
}

/**
 * The key in a cursor. Anybody can write a cursor: check each text of the key before it is used.
 *
 * @throws {ValidationError} code `request.cursor_invalid` for what {@link toCursor} did not make for this list
 */
export function parseCursor(list: string, cursor: string): readonly string[] {
  const parts = readParts(cursor)
  if (parts === undefined || parts[0] !== version || parts[1] !== list) throw invalidCursor()
  const key = parts.slice(2)
  if (!key.every((text) => typeof text === 'string')) throw invalidCursor()
  return key
}

/** For a cursor that is not of the list it is sent for. */
export function invalidCursor(): ValidationError {
  return withoutStack(
    () =>
      new ValidationError(
        'This cursor belongs to no page of this list. Take it from the page before, or leave it away.',
        {
          code: 'request.cursor_invalid',
        },
      ),
  )
}

function readParts(cursor: unknown): readonly unknown[] | undefined {
  if (typeof cursor !== 'string' || cursor.length > maxCursorLength || !/^[\w-]+$/.test(cursor)) return undefined
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(parts) ? parts : undefined
  } catch {
    return undefined
  }
}
