import type { SqlQuery } from './sql.ts'

/**
 * Whether a statement changes something for its whole session, as far as its text tells: settings, roles, locks,
 * temporary tables, channels. The next holder of the connection would find it there. What a function does by itself is
 * not seen.
 */
export function changesSession(text: string): boolean {
  const statement = text.replace(leadingComments, '')
  if (!isData.test(statement)) return isForSession.test(statement) && !endsWithTransaction.test(statement)
  if (isLock.test(statement) || isIntoTemporary.test(statement) || isBlockThatSets.test(statement)) return true
  return countOf(statement, setsConfig) > countOf(statement, setsConfigLocally)
}

/** @throws {Error} when a query outside of any transaction does so: the next one would not find it, and a stranger would */
export function assertLeavesNothing({ text }: SqlQuery): void {
  if (!changesSession(text)) return
  throw new Error(
    'A query outside of any transaction sets something for its session, which the next query would not find, and a ' +
      'stranger would. Use a transaction, and in it set local, set_config(…, true), pg_advisory_xact_lock, on commit drop',
  )
}

const leadingComments = /^(?:\s+|--[^\n]*|\/\*[^]*?\*\/)+/
// Functions in the text of others, such as `create function`, are not called yet.
const isData = /^(?:select|with|values|insert|update|delete|merge|explain|do)\b/i
const isForSession =
  /^(?:set(?!\s+(?:local|transaction|constraints)\b)|listen|load|prepare(?!\s+transaction\b)|declare\s[^]*\bwith\s+hold|create\s+(?:or\s+replace\s+)?(?:(?:local|global)\s+)?temp(?:orary)?)\b/i
const endsWithTransaction = /\bon\s+commit\s+drop\b/i
const isLock = /\bpg_(?:try_)?advisory_lock(?:_shared)?"?\s*\(/i
const isIntoTemporary = /\binto\s+(?:(?:local|global)\s+)?temp(?:orary)?\b/i
// No assignment of an `update`, which has `=` behind its column.
const isBlockThatSets = /^do\b[^]*?\bset\s+(?:session\s+)?(?:role|authorization|[a-z_]\w*\.\w+)\s+[a-z"']/i
const setsConfig = /\bset_config"?\s*\(/gi
const setsConfigLocally = /\bset_config"?\s*\([^()]*,\s*true\s*\)/gi

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0
}
