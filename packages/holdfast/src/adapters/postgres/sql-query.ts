import { show } from './sql-names.ts'
import { toSqlParameter } from './sql-value.ts'
import type { SqlParameter, SqlValue } from './sql-value.ts'
import { statementNames } from './statement-names.ts'
import type { StatementOrigin } from './statement-names.ts'

// A registered symbol: two copies of this package know each other's queries, and no JSON body can forge one.
const parts: unique symbol = Symbol.for('holdfast.SqlQuery')

/**
 * A piece of SQL with its values apart, made by the `sql` tag and by nothing else. It never changes.
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
    return (this.#statement ??= new Statement(numbered(this[parts]), 'composed'))
  }
}

class Statement {
  readonly text: string
  readonly #origin: StatementOrigin

  constructor(text: string, origin: StatementOrigin) {
    this.text = text
    this.#origin = origin
  }

  get name(): string | undefined {
    return statementNames.nameOf(this.text, this.#origin)
  }
}

// The engine gives each place in the source one array of texts for ever, which makes it the key of what was made of it.
const templates = new WeakMap<TemplateStringsArray, Statement>()

/** A query whose text stands whole in the source. */
export function fromTemplate(texts: TemplateStringsArray, values: readonly SqlValue[]): SqlQuery {
  let statement = templates.get(texts)
  if (statement === undefined) {
    statement = new Statement(numbered(texts), 'template')
    templates.set(texts, statement)
  }
  return new Query(texts, toParameters(values), statement)
}

/** A query of texts with values and fragments between them: always one text more than there are items. */
export function compose(texts: readonly string[], items: readonly (SqlValue | SqlQuery)[]): SqlQuery {
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

/** Text without values, written in this package or checked by it. */
export function fragment(text: string): SqlQuery {
  return new Query(Object.freeze([text]), Object.freeze([]))
}

/**
 * A whole query of a compiler that numbers its values itself. Not for users: whoever calls this vouches that nothing of
 * a caller is in `text`. It is no fragment of another query, whose numbers would not be its own.
 */
export function fromCompiled(text: string, values: readonly unknown[]): SqlQuery {
  return new Query(Object.freeze([text]), toParameters(values), new Statement(text, 'composed'))
}

export function isSqlQuery(value: unknown): value is SqlQuery {
  return typeof value === 'object' && value !== null && parts in value
}

/** @throws {TypeError} for a string or anything else that the `sql` tag did not make */
export function assertSqlQuery(value: unknown): asserts value is SqlQuery {
  if (isSqlQuery(value)) return
  throw new TypeError(`SQL is written with the tag, as in sql\`select …\`; received ${show(value)}`)
}

function numbered(texts: readonly string[]): string {
  return texts.reduce((text, part, index) => `${text}$${index}${part}`)
}

function toParameters(values: readonly unknown[]): readonly SqlParameter[] {
  assertCount(values)
  return Object.freeze(Array.from(values, toSqlParameter))
}

// The protocol counts parameters in 16 bits; one more wraps around and corrupts the connection.
const maxValues = 65_535

function assertCount(values: readonly unknown[]): void {
  if (values.length <= maxValues) return
  throw new RangeError(
    `A query takes at most ${maxValues} values; received ${values.length}. Pass arrays and unnest() them instead`,
  )
}
