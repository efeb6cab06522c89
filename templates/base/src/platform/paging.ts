import { z } from 'zod'

// Opaque to clients, so that what a page is ordered by can change.
const cursor = z
  .base64url()
  .max(100)
  .transform((text) => Buffer.from(text, 'base64url').toString())
  .pipe(z.uuid('Take the cursor from the page before').toLowerCase())

/** What every list takes; spread it into the shape of its query. */
export const pageQuery = {
  cursor: cursor.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
}

export const toCursor = (id: string | undefined): string | null =>
  id === undefined ? null : Buffer.from(id).toString('base64url')

export interface Cut<Item> {
  readonly items: readonly Item[]
  /** Where the next page begins; absent on the last. */
  readonly nextAfter: string | undefined
}

/** A page of what was found. Look for one more than it holds: that tells whether there is a next one, without counting. */
export function cutPage<Item extends { readonly id: string }>(found: readonly Item[], limit: number): Cut<Item> {
  const items = found.slice(0, limit)
  return { items, nextAfter: found.length > limit ? items.at(-1)?.id : undefined }
}
