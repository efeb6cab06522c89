import { statementNames } from './statement-names.ts'
import type { StatementOrigin } from './statement-names.ts'
import { toSqlJson, toSqlParameter } from './sql-value.ts'
import type { SqlJson, SqlParameter, SqlValue } from './sql-value.ts'

// A registered symbol: two copies of this package know each other's queries, and no JSON body can forge one.
const parts: unique symbol = Symbol.for('holdfast.SqlQuery')

/**
 * A piece of SQL with its values apart, made by {@link sql} and by nothing else. It never changes.
 * Serves as a whole query and as a fragment inside another one.
 */
export interface SqlQuery {
  /** The text with `$1, $2, …` where the values belong. */
  readonly text: string
  /** What goes to the server beside the text, in the order of `$1, $2, …`. */
  readonly values: readonly SqlParameter[]
  /** The name under which a connection keeps this text prepared; missing once the process has handed out its share. */
  readonly name: string | undefined
  /** The text around the values: always one more than there are values. */
  readonly [parts]: readonly string[]
}

class Query implements SqlQuery {
  readonly values: readonly SqlParameter[]
  readonly [parts]: readonly string[]
  #statement: Statement | undefined

  constructor(texts: readonly string[], values: readonly SqlParameter[], statement?: Statement) {
    this.values = values
    this[parts] = texts
    this.#statement = statement
    Object.freeze(this)
  }

  get text(): string {
    return this.#whole().text
  }

  get name(): string | undefined {
    return this.#whole().name
  }

  // Fragments are numbered only when somebody sends them, so nesting numbers each value once.
  #whole(): Statement {
    return (this.#statement ??= new Statement(this[parts], 'composed'))
  }
}

class Statement {
  readonly text: string
  readonly #origin: StatementOrigin

  constructor(texts: readonly string[], origin: StatementOrigin) {
    this.text = texts.reduce((text, part, index) => `${text}$${index}${part}`)
    this.#origin = origin
  }

  get name(): string | undefined {
    return statementNames.nameOf(this.text, this.#origin)
  }
}

// The engine gives each place in the source one array of texts for ever, which makes it the key of what was made of it.
const templates = new WeakMap<TemplateStringsArray, Statement>()

// The protocol counts parameters in 16 bits; one more wraps around and corrupts the connection.
const maxValues = 65_535

function tag(texts: TemplateStringsArray, ...values: readonly (SqlValue | SqlQuery)[]): SqlQuery {
  assertTemplate(texts)
  return values.some(isSqlQuery) ? compose(texts, values) : fromTemplate(texts, values as readonly SqlValue[])
}

function fromTemplate(texts: TemplateStringsArray, values: readonly SqlValue[]): SqlQuery {
  let statement = templates.get(texts)
  if (statement === undefined) {
    statement = new Statement(texts, 'template')
    templates.set(texts, statement)
  }
  return new Query(texts, toParameters(values), statement)
}

function compose(texts: readonly string[], items: readonly (SqlValue | SqlQuery)[]): SqlQuery {
  const flatTexts: string[] = [texts[0] ?? '']
  const flatValues: SqlParameter[] = []
  const append = (text: string): void => {
    flatTexts.push((flatTexts.pop() ?? '') + text)
  }
  items.forEach((item, index) => {
    if (isSqlQuery(item)) {
      append(item[parts][0] ?? '')
      for (const text of item[parts].slice(1)) flatTexts.push(text)
      for (const value of item.values) flatValues.push(value)
    } else {
      flatValues.push(toSqlParameter(item))
      flatTexts.push('')
    }
    append(texts[index + 1] ?? '')
  })
  assertCount(flatValues)
  return new Query(Object.freeze(flatTexts), Object.freeze(flatValues))
}

function toParameters(values: readonly SqlValue[]): readonly SqlParameter[] {
  assertCount(values)
  return Object.freeze(values.map(toSqlParameter))
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
  readonly json: typeof json
  /** No text at all; for a clause that is left away. */
  readonly empty: SqlQuery
}

const comma = fragment(', ')

export const sql: Sql = Object.freeze(Object.assign(tag, { identifier, columns, join, json, empty: fragment('') }))

export function isSqlQuery(value: unknown): value is SqlQuery {
  return typeof value === 'object' && value !== null && parts in value
}

/** @throws {TypeError} for a string or anything else that the `sql` tag did not make */
export function assertSqlQuery(value: unknown): asserts value is SqlQuery {
  if (isSqlQuery(value)) return
  throw new TypeError(`SQL is written with the tag, as in sql\`select …\`; received ${show(value)}`)
}

// Compilers freeze the texts of a template and give them `raw`; a list that came from a caller has neither.
function assertTemplate(texts: TemplateStringsArray): void {
  const isTemplate = Array.isArray(texts) && Object.isFrozen(texts) && Array.isArray(texts.raw)
  if (!isTemplate) throw new TypeError('sql is a template tag; write sql`select …` instead of calling it')
  if (texts.some((text) => text === undefined)) throw new TypeError('The template holds a broken \\ escape')
}

function assertCount(values: readonly unknown[]): void {
  if (values.length <= maxValues) return
  throw new RangeError(
    `A query takes at most ${maxValues} values; received ${values.length}. Pass arrays and unnest() them instead`,
  )
}

function plainName(name: string): string {
  if (typeof name === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name
  throw new TypeError(`A column or table name is made of letters, digits and _; received ${show(name)}`)
}

function quote(name: string): string {
  if (name.includes('\0')) throw new TypeError('A name in SQL holds no NUL character')
  return `"${name.replaceAll('"', '""')}"`
}

function fragment(text: string): SqlQuery {
  return new Query(Object.freeze([text]), Object.freeze([]))
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : value === null ? 'null' : typeof value
}
