import { quote, plainName, show } from './sql-names.ts'
import { order } from './sql-order.ts'
import { changes } from './sql-patch.ts'
import { assertSqlQuery, compose, fragment, fromTemplate, isSqlQuery } from './sql-query.ts'
import type { SqlQuery } from './sql-query.ts'
import { records } from './sql-records.ts'
import { toSqlJson } from './sql-value.ts'
import type { SqlJson, SqlValue } from './sql-value.ts'

export { assertSqlQuery, isSqlQuery } from './sql-query.ts'
export type { SqlQuery } from './sql-query.ts'

function tag(texts: TemplateStringsArray, ...values: readonly (SqlValue | SqlQuery)[]): SqlQuery {
  assertTemplate(texts)
  return values.some(isSqlQuery) ? compose(texts, values) : fromTemplate(texts, values as readonly SqlValue[])
}

/**
 * A name that is decided at run time, such as the column to sort by, in double quotes.
 *
 * @param name - the name somebody asked for
 * @param allowed - every name that may be asked for, written in code
 * @throws {TypeError} when `name` is not one of `allowed`
 */
function identifier(name: string, allowed: readonly string[]): SqlQuery {
  if (!Array.isArray(allowed) || allowed.length === 0) {
    throw new TypeError('sql.identifier takes the names that are allowed as its second argument')
  }
  if (typeof name !== 'string' || !allowed.includes(name)) {
    throw new TypeError(`sql.identifier allows ${allowed.join(', ')}; received ${show(name)}`)
  }
  return fragment(quote(name))
}

/**
 * Column names that are written in code, quoted and joined by commas; `table` goes before each of them.
 *
 * @param names - a literal list; an array whose members are only known at run time does not compile
 * @throws {TypeError} for no names, and for a name that is not made of letters, digits and `_`
 */
function columns<const Names extends readonly string[]>(names: LiteralNames<Names>, table?: string): SqlQuery {
  if (!Array.isArray(names) || names.length === 0) throw new TypeError('sql.columns takes at least one column name')
  const prefix = table === undefined ? '' : `${quote(plainName(table))}.`
  return fragment(names.map((name: string) => prefix + quote(plainName(name))).join(', '))
}

/**
 * Fragments in a row with `separator` between them; `sql.join(conditions, sql` and `)`.
 * To look for one of many values prefer `= any(${values})`: it stays one statement however many there are.
 *
 * @param separator - default a comma
 * @throws {TypeError} when there is nothing to join, because no place in SQL takes an empty list
 */
function join(fragments: readonly SqlQuery[], separator: SqlQuery = comma): SqlQuery {
  if (!Array.isArray(fragments) || fragments.length === 0) {
    throw new TypeError('sql.join takes at least one fragment; leave the clause away when there is none')
  }
  assertSqlQuery(separator)
  for (const item of fragments) assertSqlQuery(item)
  const items = fragments.flatMap((item, index) => (index === 0 ? [item] : [separator, item]))
  return compose(
    Array.from({ length: items.length + 1 }, () => ''),
    items,
  )
}

/**
 * A value for a `json` or `jsonb` column. An array given to `sql` without this is a PostgreSQL array.
 *
 * @throws {TypeError} when `value` has no JSON form, such as `undefined`, a function or a cycle
 */
function json(value: unknown): SqlJson {
  return toSqlJson(value)
}

/** A list whose members the compiler knows one by one. */
export type LiteralNames<Names extends readonly string[]> = string extends Names[number] ? never : Names

export interface Sql {
  /**
   * SQL with its values apart: `` sql`select id from products where sku = ${sku}` ``.
   * Whatever stands in `${…}` travels beside the text and is never read as SQL; a nested `sql` fragment becomes part of
   * the text. Backslashes follow JavaScript's rules for templates: write `'\\d'` for the pattern `\d`.
   *
   * @throws {TypeError} when called as a function, or for a value that is `undefined`, a plain object, a function, a
   *   symbol or an invalid date
   * @throws {RangeError} beyond 65 535 values, the most that PostgreSQL takes
   */
  (texts: TemplateStringsArray, ...values: readonly (SqlValue | SqlQuery)[]): SqlQuery
  readonly identifier: typeof identifier
  readonly columns: typeof columns
  readonly join: typeof join
  readonly order: typeof order
  readonly changes: typeof changes
  readonly records: typeof records
  readonly json: typeof json
  /** No text at all; for a clause that is left away. */
  readonly empty: SqlQuery
}

const comma = fragment(', ')

export const sql: Sql = Object.freeze(
  Object.assign(tag, { identifier, columns, join, order, changes, records, json, empty: fragment('') }),
)

// Compilers freeze the texts of a template and give them `raw`; a list that came from a caller has neither.
function assertTemplate(texts: TemplateStringsArray): void {
  const isTemplate = Array.isArray(texts) && Object.isFrozen(texts) && Array.isArray(texts.raw)
  if (!isTemplate) throw new TypeError('sql is a template tag; write sql`select …` instead of calling it')
  if (texts.some((text) => text === undefined)) throw new TypeError('The template holds a broken \\ escape')
}
