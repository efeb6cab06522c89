import { plainName, quote, show } from './sql-names.ts'
import { compose } from './sql-query.ts'
import type { SqlQuery } from './sql-query.ts'
import type { SqlValue } from './sql-value.ts'

/** Column names that the compiler knows one by one. */
export type LiteralColumns<Columns extends Readonly<Record<string, string>>> = string extends Columns[keyof Columns]
  ? never
  : Columns

/**
 * What comes after `set`, of the members that a change has:
 * `` sql`update products set ${sql.changes(change, { name: 'name', priceCents: 'price_cents' })}, version = version + 1 …` ``.
 * What is not listed is not set, whoever sent it; neither is what is `undefined` or inherited. `null` sets NULL.
 *
 * @param change - a plain object
 * @param columns - member → column, written in code
 * @throws {TypeError} when nothing is left to set: an update has to set something, so let the schema of the call ask for
 *   at least one member; for a change that is no plain object, and for a value that `sql` does not take
 */
export function changes<const Columns extends Readonly<Record<string, string>>>(
  change: { readonly [Member in keyof Columns]?: SqlValue | SqlQuery | undefined },
  columns: LiteralColumns<Columns>,
): SqlQuery {
  assertPlain(change)
  const members = Object.entries<string>(columns).filter(([member]) => valueOf(change, member) !== undefined)
  if (members.length === 0) {
    throw new TypeError(`sql.changes found nothing to set; a change has one of ${Object.keys(columns).join(', ')}`)
  }
  const texts = members.map(([, column], index) => `${index === 0 ? '' : ', '}${quote(plainName(column))} = `)
  return compose(
    [...texts, ''],
    members.map(([member]) => valueOf(change, member) as SqlValue | SqlQuery),
  )
}

// Of an instance, members may be inherited, and would be left out without a word.
function assertPlain(change: unknown): asserts change is object {
  const prototype: unknown = typeof change === 'object' && change !== null ? Object.getPrototypeOf(change) : undefined
  const isPlain = prototype === null || (prototype !== undefined && Object.getPrototypeOf(prototype) === null)
  if (!isPlain) throw new TypeError(`sql.changes takes a plain object; received ${kindOf(change)}`)
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? `an instance of ${value.constructor.name}` : show(value)
}

function valueOf(change: object, member: string): unknown {
  return Object.hasOwn(change, member) ? (change as Readonly<Record<string, unknown>>)[member] : undefined
}
