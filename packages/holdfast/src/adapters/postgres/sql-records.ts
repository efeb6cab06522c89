import { plainName, quote, show } from './sql-names.ts'
import { compose } from './sql-query.ts'
import type { SqlQuery } from './sql-query.ts'
import { isSqlJson, toSqlParameter } from './sql-value.ts'
import type { SqlParameter, SqlValue } from './sql-value.ts'

const columnTypes = [
  'bigint',
  'boolean',
  'bytea',
  'cidr',
  'date',
  'double precision',
  'inet',
  'integer',
  'interval',
  'json',
  'jsonb',
  'numeric',
  'real',
  'smallint',
  'text',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
] as const

/** Types of PostgreSQL that {@link records} knows. An enum, a domain or `varchar` is `text` here; cast where it is read. */
export type ColumnType = (typeof columnTypes)[number]

/** What a column of one record may hold: anything `sql` takes but lists. */
export type RecordValue = Exclude<SqlValue, readonly SqlValue[]>

const maxRecords = 10_000

/**
 * Many rows as a table to read from, such as those of a bulk insert:
 * `` sql`insert into order_lines (order_id, sku) select order_id, sku from ${sql.records(lines, { order_id: 'uuid', sku: 'text' })} as line` ``.
 * One statement however many rows there are, because each column travels as one array. No rows are an empty table: an
 * insert inserts nothing, an update changes nothing.
 *
 * @param rows - at most 10 000. Members that `types` does not name are left out; a missing one is an error
 * @param types - column → type, written in code. Values of `json` and `jsonb` columns are made by `sql.json`
 * @throws {TypeError} for a value that is `undefined`, a list or of the wrong sort, and for an unknown type
 * @throws {RangeError} for more rows; insert them in parts, inside a transaction
 */
export function records<const Types extends Readonly<Record<string, ColumnType>>>(
  rows: readonly { readonly [Name in keyof Types]: RecordValue }[],
  types: Types,
): SqlQuery {
  const columns = columnsOf(types)
  assertRows(rows)
  const names = columns.map(({ name }) => quote(name)).join(', ')
  const casts = columns.map(({ type }, index) => `::${type}[]${index + 1 < columns.length ? ', ' : ''}`)
  const last = casts.pop() ?? ''
  return compose(
    ['(select * from unnest(', ...casts, `${last}) as record (${names}))`],
    columns.map((column) => toArray(rows, column)),
  )
}

interface Column {
  readonly name: string
  readonly type: ColumnType
}

function columnsOf(types: Readonly<Record<string, ColumnType>>): readonly Column[] {
  const columns = Object.entries(types).map(([name, type]) => ({ name: plainName(name), type: knownType(type) }))
  if (columns.length === 0) throw new TypeError('sql.records takes at least one column')
  return columns
}

function knownType(type: unknown): ColumnType {
  if (columnTypes.includes(type as ColumnType)) return type as ColumnType
  throw new TypeError(`sql.records knows the types ${columnTypes.join(', ')}; received ${show(type)}`)
}

function assertRows(rows: readonly unknown[]): void {
  if (!Array.isArray(rows)) throw new TypeError(`sql.records takes a list of rows; received ${show(rows)}`)
  if (rows.length <= maxRecords) return
  throw new RangeError(`sql.records takes at most ${maxRecords} rows; received ${rows.length}. Write them in parts`)
}

function toArray(rows: readonly object[], column: Column): readonly SqlParameter[] {
  return Array.from(rows, (row, index) => {
    const value = ownValue(row, column.name)
    const fault = faultOf(value, column.type)
    if (fault !== undefined) throw new TypeError(`${column.name} of row ${index} ${fault}`)
    return toSqlParameter(value)
  })
}

function ownValue(row: unknown, name: string): unknown {
  const isRow = typeof row === 'object' && row !== null && Object.hasOwn(row, name)
  return isRow ? (row as Readonly<Record<string, unknown>>)[name] : undefined
}

function faultOf(value: unknown, type: ColumnType): string | undefined {
  if (value === null) return undefined
  if (value === undefined) return 'is missing; write null where NULL is meant'
  if (Array.isArray(value)) return 'is a list, which PostgreSQL would take apart; send it as jsonb with sql.json'
  const isJsonColumn = type === 'json' || type === 'jsonb'
  if (isJsonColumn && !isSqlJson(value)) return `goes into a ${type} column; make it with sql.json(value)`
  if (!isJsonColumn && isSqlJson(value)) return `was made by sql.json and goes into a ${type} column`
  return undefined
}
