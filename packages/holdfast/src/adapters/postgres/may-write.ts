import type { SqlQuery } from './sql.ts'

/**
 * Whether a statement may change something, as far as its text tells. In doubt it may; but a function that writes, called
 * by a `select`, is not seen.
 */
export function mayWrite({ text }: SqlQuery): boolean {
  return !/^\s*(select|table|values|show|with)\b/i.test(text) || /\b(insert|update|delete|merge|into)\b/i.test(text)
}
