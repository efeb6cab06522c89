const jsonText: unique symbol = Symbol.for('holdfast.SqlJson')

/** A value for a `json` or `jsonb` column, made by `sql.json`. */
export interface SqlJson {
  readonly [jsonText]: string
}

/**
 * What may stand in a `${…}` of the `sql` tag besides another `sql` fragment.
 * `undefined` is refused, so that a forgotten field is an error and not a NULL; plain objects go through `sql.json`.
 */
export type SqlValue = string | number | bigint | boolean | null | Date | Uint8Array | SqlJson | readonly SqlValue[]

/** A {@link SqlValue} as the driver gets it. */
export type SqlParameter = string | number | bigint | boolean | null | Uint8Array | readonly SqlParameter[]

/** @throws {TypeError} when `value` has no JSON form, such as `undefined`, a function or a cycle */
export function toSqlJson(value: unknown): SqlJson {
  const text = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`sql.json takes a value that has a JSON form; received ${typeof value}`)
  return Object.freeze({ [jsonText]: text })
}

/** @throws {TypeError} for anything that is not a {@link SqlValue} */
export function toSqlParameter(value: unknown): SqlParameter {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null)
    return value
  if (typeof value === 'bigint') return value
  if (Array.isArray(value)) return Object.freeze(Array.from(value, toSqlParameter))
  if (value instanceof Date) return toTimestamp(value)
  if (value instanceof Uint8Array) return value
  if (isSqlJson(value)) return value[jsonText]
  throw new TypeError(refusal(value))
}

// In UTC, where the driver would write the local time of the process: a `timestamp` column drops the offset,
// so two processes in two time zones would store two different moments.
function toTimestamp(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new TypeError('A date in a query has to be valid; received an Invalid Date')
  return date.toISOString()
}

export function isSqlJson(value: unknown): value is SqlJson {
  return typeof value === 'object' && value !== null && jsonText in value
}

function refusal(value: unknown): string {
  if (value === undefined) return 'A value in a query is undefined; write null where NULL is meant'
  if (typeof value === 'object') return 'A query takes no plain object as a value; use sql.json(value) for json columns'
  return `A query takes no ${typeof value} as a value`
}
