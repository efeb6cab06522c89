import type { Schema } from './schema.ts'

/** A row as it came: column names as the query gives them. */
export type Row = Readonly<Record<string, unknown>>

/**
 * Makes an item of a row: a function whose parameter says how the row looks, or a schema (Zod 4, Valibot, ArkType)
 * that also checks it. A row that does not fit its schema is a defect, not the caller's mistake.
 */
export type RowMapper<Item, FromRow> = ((row: FromRow) => Item) | Schema<unknown, Item>

/** @param what - what a row is called in messages */
export async function mapRows<Item, FromRow>(
  rows: readonly unknown[],
  mapper: RowMapper<Item, FromRow>,
  what = 'row',
): Promise<Item[]> {
  if (isSchema(mapper)) return await Promise.all(rows.map((row) => parseRow(row, mapper, what)))
  if (typeof mapper === 'function') return rows.map((row) => mapper(row as FromRow))
  throw new TypeError(`A ${what} mapper is a function or a schema; received ${typeof mapper}`)
}

/** @throws {Error} when there are no rows or more than one: a defect of the query */
export async function mapOne<Item, FromRow>(
  rows: readonly unknown[],
  mapper: RowMapper<Item, FromRow>,
  what = 'row',
): Promise<Item> {
  if (rows.length !== 1) throw new Error(`The query gives ${rows.length} ${what}s where there has to be one`)
  const [item] = await mapRows(rows, mapper, what)
  return item as Item
}

/** @throws {Error} when there is more than one: a defect of the query */
export async function mapMaybeOne<Item, FromRow>(
  rows: readonly unknown[],
  mapper: RowMapper<Item, FromRow>,
  what = 'row',
): Promise<Item | undefined> {
  if (rows.length > 1) throw new Error(`The query gives ${rows.length} ${what}s where there may be one`)
  const [item] = await mapRows(rows, mapper, what)
  return item
}

async function parseRow<Item>(row: unknown, schema: Schema<unknown, Item>, what: string): Promise<Item> {
  const result = await schema['~standard'].validate(row)
  if (result.issues === undefined) return result.value
  const faults = result.issues.map((issue) => `${columnOf(issue.path) || what}: ${issue.message}`)
  throw new Error(`A ${what} does not fit its schema. ${faults.join('; ')}`)
}

// Asked first: some schemas, such as ArkType's, are functions.
function isSchema<Item>(mapper: RowMapper<Item, never>): mapper is Schema<unknown, Item> {
  return mapper !== null && mapper !== undefined && '~standard' in Object(mapper)
}

function columnOf(path: readonly (PropertyKey | { readonly key: PropertyKey })[] = []): string {
  return path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
}
