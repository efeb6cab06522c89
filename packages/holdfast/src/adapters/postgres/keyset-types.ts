import { compose, fragment } from './sql-query.ts'
import type { SqlQuery } from './sql-query.ts'

/** Types of columns that pages can be ordered by: those whose text says exactly what they hold. */
export type KeyType =
  | 'bigint'
  | 'boolean'
  | 'date'
  | 'integer'
  | 'numeric'
  | 'smallint'
  | 'text'
  | 'timestamp'
  | 'timestamptz'
  | 'uuid'

export interface KeyForm {
  readonly toText: (expression: SqlQuery) => SqlQuery
  /** What makes the text a value again; stands behind it. */
  readonly cast: SqlQuery
  /** Whether PostgreSQL takes this text as a value of the type: what it refuses would be an error of ours. */
  readonly isWritten: (text: string) => boolean
}

export const keyForms: ReadonlyMap<KeyType, KeyForm> = new Map([
  form('bigint', (text) => isInteger(text, 64)),
  form('boolean', (text) => text === 'true' || text === 'false'),
  form('date', matches(day()), toIsoText),
  form('integer', (text) => isInteger(text, 32)),
  form('numeric', (text) => /^-?\d{1,200}(\.\d{1,200})?$/.test(text)),
  form('smallint', (text) => isInteger(text, 16)),
  form('text', (text) => text.isWellFormed() && !text.includes('\0')),
  form('timestamp', matches(`${day()}${time()}`), toIsoText),
  form('timestamptz', matches(`${day()}${time()}${offset()}`), toIsoText),
  form('uuid', (text) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(text)),
])

function form(type: KeyType, isWritten: KeyForm['isWritten'], toText = toPlainText): [KeyType, KeyForm] {
  return [type, { isWritten, toText, cast: fragment(`::${type}`) }]
}

function toPlainText(expression: SqlQuery): SqlQuery {
  return compose(['', '::text'], [expression])
}

/** As JSON, moments are in ISO 8601 whatever the DateStyle of the session, and have all their microseconds. */
function toIsoText(expression: SqlQuery): SqlQuery {
  return compose(['(to_json(', `) #>> '{}')`], [expression])
}

function isInteger(text: string, bits: number): boolean {
  return /^(0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(bits, BigInt(text)) === BigInt(text)
}

/** Whether a text is of this form, on a day of the calendar; or one of the two ends of time. */
function matches(pattern: string): (text: string) => boolean {
  const whole = new RegExp(`^${pattern}$`)
  return (text) => isCalendarDay(whole.exec(text)) || text === 'infinity' || text === '-infinity'
}

function day(): string {
  return String.raw`(\d{4}|[1-9]\d{4,5})-(\d\d)-(\d\d)`
}

function time(): string {
  return String.raw`T(?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,6})?`
}

function offset(): string {
  return String.raw`[+-](?:0\d|1[0-5])(?::[0-5]\d){1,2}`
}

// Years before Christ are written in another way, and a timestamp ends in the year 294 276.
function isCalendarDay(found: RegExpExecArray | null): boolean {
  if (found === null) return false
  const [year = 0, month = 0, dayOfMonth = 0] = found.slice(1, 4).map(Number)
  return year >= 1 && year <= 294_275 && dayOfMonth >= 1 && dayOfMonth <= daysIn(year, month)
}

function daysIn(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0
}
