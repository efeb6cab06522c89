import pg from 'pg'

type ColumnParser = (text: string) => unknown

// The driver takes any number; its types list only the ones they know by name.
const driverParser = pg.types.getTypeParser as (typeOid: number, format?: 'text' | 'binary') => ColumnParser

const oid = { int8: 20, date: 1082, timestamp: 1114, numeric: 1700 } as const
const arrayOid = { int8: 1016, timestamp: 1115, date: 1182, numeric: 1231 } as const

// The driver's parser for text[] splits any array into texts; the members are then ours to read.
const toTexts = driverParser(1009) as (text: string) => unknown[]

/** A value that cannot be given as it is. The connection that brought it is as good as before. */
export class UnreadableValueError extends RangeError {}

const parsers: ReadonlyMap<number, ColumnParser> = new Map<number, ColumnParser>([
  [oid.int8, toSafeInteger],
  [oid.date, asText],
  [oid.numeric, asText],
  [oid.timestamp, toUtcDate],
  [arrayOid.int8, eachOf(toSafeInteger)],
  [arrayOid.date, eachOf(asText)],
  [arrayOid.numeric, eachOf(asText)],
  [arrayOid.timestamp, eachOf(toUtcDate)],
])

/**
 * How columns become values, where the driver's own way loses something:
 *
 * - `int8` (and so `count(*)`): a number; beyond 2^53 a RangeError instead of a wrong number. Select `id::text` there.
 * - `numeric`: text, because a number would round it. The driver does the opposite in `numeric[]`.
 * - `date`: text such as `2026-01-31`. The driver's Date at local midnight is another day in another time zone.
 * - `timestamp` without time zone: read as UTC, as this adapter writes it, whatever the time zone of the process.
 *
 * The rest is as pg does it; `timestamptz` is a Date.
 */
export function columnParser(typeOid: number, format: 'text' | 'binary' = 'text'): ColumnParser {
  const own = format === 'text' ? parsers.get(typeOid) : undefined
  return own ?? driverParser(typeOid, format)
}

function toSafeInteger(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number)) return number
  throw new UnreadableValueError(
    'An int8 column holds a number that JavaScript would round; select it as text (column::text)',
  )
}

function asText(text: string): string {
  return text
}

const parseTimestamptz = driverParser(1184)

function toUtcDate(text: string): unknown {
  // `infinity` and years before Christ carry words of their own, which the driver knows.
  return /^\d[\d\-: .]*$/.test(text) ? parseTimestamptz(`${text}+00`) : parseTimestamptz(text)
}

function eachOf(parse: ColumnParser): ColumnParser {
  const read = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(read)
    return typeof item === 'string' ? parse(item) : item
  }
  return (text) => toTexts(text).map(read)
}
