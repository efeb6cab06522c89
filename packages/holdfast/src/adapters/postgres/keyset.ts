import { createHash } from 'node:crypto'
import { invalidCursor, parseCursor, toCursor } from '../../core/http/cursor.ts'
import type { Page } from '../../core/http/reply.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'
import { keyForms } from './keyset-types.ts'
import type { KeyForm, KeyType } from './keyset-types.ts'
import type { Queries, QueryOptions } from './queries.ts'
import { mapRows } from '../../foundation/row-mapper.ts'
import type { Row, RowMapper } from '../../foundation/row-mapper.ts'
import { plainName, quote, show } from './sql-names.ts'
import { compose, fragment, isSqlQuery } from './sql-query.ts'
import type { SqlQuery } from './sql-query.ts'

/** A column that a list is ordered by. */
export interface KeyColumn {
  /**
   * Its name, or SQL for it, such as `` sql`p.created_at` ``. It is never NULL: what compares to NULL is on no page.
   * A text has at most 500 characters, or the page that ends with a longer one fails.
   * Where the query selects something else under the same name, write the table before it: `order by` prefers what is
   * selected.
   */
  readonly column: string | SqlQuery
  readonly type: KeyType
  /** Default `asc` */
  readonly direction?: 'asc' | 'desc'
}

export interface KeysetOptions {
  /** Name of the list, so that a cursor of one list is refused by another. */
  readonly list: string
  /** The most important first. All together are unique, so put the id last. An index with these columns serves it. */
  readonly by: readonly KeyColumn[]
}

export interface PageAsked extends QueryOptions {
  /** `nextCursor` of the page before; nothing for the first page. */
  readonly cursor?: string | undefined
  /** Items on a page at most, 1 to 1 000. */
  readonly limit: number
}

/** What the query of a page is made of. */
export interface PageParts {
  /** Stands among the columns; the next cursor is made of it. Rows reach their mapper without it. */
  readonly key: SqlQuery
  /** The condition that a row comes after the cursor; `true` on the first page. */
  readonly isAfter: SqlQuery
  /** Stands behind `order by`. */
  readonly order: SqlQuery
  /** Stands behind `limit`: one more than the page holds, which tells whether there is a next one. */
  readonly count: number
}

/**
 * An order in which a list is read page by page. A page begins after the last row of the page before, wherever that is
 * by now: while rows come and go, each row that stays comes exactly once, and the hundredth page costs what the first does.
 */
export interface Keyset {
  /**
   * One page:
   *
   * ```ts
   * newestFirst.page(database, { cursor, limit }, ({ key, isAfter, order, count }) => sql`
   *   select id, name, ${key} from products
   *   where status = 'active' and ${isAfter} order by ${order} limit ${count}`, toProduct)
   * ```
   *
   * @throws {ValidationError} code `request.cursor_invalid` for a cursor that is not of this list
   * @throws {RangeError} for a `limit` out of its bounds
   * @throws {Error} when the query lacks one of its parts, or a key holds NULL: a defect
   */
  page<Item, FromRow>(
    queries: Queries,
    asked: PageAsked,
    toQuery: (parts: PageParts) => SqlQuery,
    toItem: RowMapper<Item, FromRow>,
  ): Promise<Page<Item>>
}

/**
 * Pages of a list, ordered by columns written in code. Make it once, not per call.
 *
 * @throws {TypeError} for a list without a name or columns, and for a name, type or direction that is not known
 * @see https://use-the-index-luke.com/no-offset
 */
export function keyset(options: KeysetOptions): Keyset {
  return new SqlKeyset(options)
}

interface Column {
  readonly expression: SqlQuery
  readonly form: KeyForm
  readonly isDescending: boolean
}

const keyName = 'page_key'
const maxLimit = 1000
const isAnywhere = fragment('true')

class SqlKeyset implements Keyset {
  readonly #columns: readonly Column[]
  readonly #list: string
  readonly #key: SqlQuery
  readonly #order: SqlQuery

  constructor({ list, by }: KeysetOptions) {
    if (typeof list !== 'string' || list === '') throw new TypeError('keyset takes the name of a list')
    if (!Array.isArray(by) || by.length === 0) throw new TypeError(`The keyset ${list} takes at least one column`)
    this.#columns = by.map(readColumn)
    this.#list = fingerprint(list, by)
    this.#key = compose(['array[', `] as ${keyName}`], [listOf(this.#columns.map(toText))])
    this.#order = listOf(this.#columns.map(toOrder))
    Object.freeze(this)
  }

  async page<Item, FromRow>(
    queries: Queries,
    { cursor, limit, ...options }: PageAsked,
    toQuery: (parts: PageParts) => SqlQuery,
    toItem: RowMapper<Item, FromRow>,
  ): Promise<Page<Item>> {
    const count = wholeNumber('limit', limit, 1, maxLimit) + 1
    const isAfter = cursor === undefined ? isAnywhere : this.#isAfter(cursor)
    const rows = await queries.query(toQuery({ key: this.#key, order: this.#order, isAfter, count }), options)
    if (rows.length > count)
      throw new Error(`The query of a page gives ${rows.length} rows; it ends with limit \${count}`)
    const nextCursor = rows.length === count ? this.#cursorOf(rows[limit - 1]) : null
    return { items: await mapRows(rows.slice(0, limit).map(withoutKey), toItem), nextCursor }
  }

  #isAfter(cursor: string): SqlQuery {
    const key = parseCursor(this.#list, cursor)
    const isOfThis =
      key.length === this.#columns.length && this.#columns.every(({ form }, at) => form.isWritten(key[at] ?? ''))
    if (!isOfThis) throw invalidCursor()
    return comesAfter(this.#columns.map((column, at) => ({ ...column, value: compose(['', ''], [key[at] ?? '']) })))
  }

  #cursorOf(row: Row | undefined): string {
    const key = row?.[keyName]
    if (!Array.isArray(key)) throw new Error('The query of a page selects ${key}; a row came without it')
    return toCursor(
      this.#list,
      this.#columns.map(({ form, expression }, at) => {
        const text: unknown = key[at]
        if (typeof text === 'string' && form.isWritten(text)) return text
        const fault = text === null ? 'NULL' : 'a value that has no place in a cursor'
        throw new Error(`A list is ordered by ${expression.text}, which is ${fault} in one of its rows`)
      }),
    )
  }
}

interface Placed extends Column {
  readonly value: SqlQuery
}

/**
 * Columns in the same direction are compared as one row, which PostgreSQL looks up in an index. Where directions differ,
 * the first of them bound the scan, and only rows that tie with the cursor in these are looked at one by one.
 */
function comesAfter(columns: readonly Placed[]): SqlQuery {
  const isDescending = columns[0]?.isDescending === true
  const end = columns.findIndex((column) => column.isDescending !== isDescending)
  const alike = end === -1 ? columns : columns.slice(0, end)
  const left = rowOf(alike.map(({ expression }) => expression))
  const right = rowOf(alike.map(({ value, form }) => compose(['', '', ''], [value, form.cast])))
  const compared = (operator: string): SqlQuery => compose(['', ` ${operator} `, ''], [left, right])
  const [beyond, beyondOrAt] = isDescending ? ['<', '<='] : ['>', '>=']
  if (end === -1) return compared(beyond)
  return compose(
    ['(', ' and (', ' or ', '))'],
    [compared(beyondOrAt), compared(beyond), comesAfter(columns.slice(end))],
  )
}

function rowOf(items: readonly SqlQuery[]): SqlQuery {
  return items.length === 1 ? listOf(items) : compose(['(', ')'], [listOf(items)])
}

function listOf(items: readonly SqlQuery[]): SqlQuery {
  return compose(['', ...items.slice(1).map(() => ', '), ''], items)
}

function toText({ form, expression }: Column): SqlQuery {
  return form.toText(expression)
}

function toOrder({ expression, isDescending }: Column): SqlQuery {
  return compose(['', isDescending ? ' desc' : ' asc'], [expression])
}

function readColumn({ column, type, direction = 'asc' }: KeyColumn): Column {
  const form = keyForms.get(type)
  if (form === undefined) {
    throw new TypeError(`A keyset is ordered by ${[...keyForms.keys()].join(', ')}; received ${show(type)}`)
  }
  if (direction !== 'asc' && direction !== 'desc') {
    throw new TypeError(`A direction is asc or desc; received ${show(direction)}`)
  }
  const expression = isSqlQuery(column) ? column : fragment(quote(plainName(column)))
  return { expression, form, isDescending: direction === 'desc' }
}

/** A list that is ordered in another way is another list. */
function fingerprint(list: string, by: readonly KeyColumn[]): string {
  const order = by.map(({ column, type, direction = 'asc' }) => [
    isSqlQuery(column) ? column.text : column,
    type,
    direction,
  ])
  return createHash('sha256')
    .update(JSON.stringify([list, order]))
    .digest('base64url')
    .slice(0, 8)
}

function withoutKey(row: Row): Row {
  const { [keyName]: key, ...rest } = row
  return key === undefined ? row : rest
}
