import { show } from './sql-names.ts'
import { compose, fragment, isSqlQuery } from './sql-query.ts'
import type { SqlQuery } from './sql-query.ts'

/** What somebody wants a list to be ordered by. */
export interface OrderAsked {
  /** One of the names that are allowed. */
  readonly by: string
  /** Default `asc` */
  readonly direction?: 'asc' | 'desc' | undefined
}

const directions: ReadonlyMap<unknown, SqlQuery> = new Map([
  [undefined, fragment(' asc')],
  ['asc', fragment(' asc')],
  ['desc', fragment(' desc')],
])

/**
 * What comes after `order by`, by names somebody asked for:
 * `` sql`… order by ${sql.order({ by: query.sort }, { name: sql`lower(name)`, price: sql`price_cents` })}, id` ``.
 * Let the schema of the call refuse other names; what gets as far as this is a defect. For pages use `keyset`.
 *
 * @param asked - one or several, the most important first
 * @param allowed - every name that may be asked for, and the SQL it stands for
 * @throws {TypeError} for a name that is not in `allowed` or comes twice, another direction than `asc` or `desc`, and none
 */
export function order(
  asked: OrderAsked | readonly OrderAsked[],
  allowed: Readonly<Record<string, SqlQuery>>,
): SqlQuery {
  const list: readonly OrderAsked[] = isList(asked) ? asked : [asked]
  if (list.length === 0)
    throw new TypeError('sql.order takes at least one name; leave the clause away when there is none')
  const seen = new Set<string>()
  const items = list.flatMap(({ by, direction }, index) => {
    if (seen.has(by)) throw new TypeError(`sql.order takes each name once; received ${show(by)} twice`)
    seen.add(by)
    return [...(index === 0 ? [] : [comma]), expressionOf(by, allowed), wordOf(direction)]
  })
  return compose(
    Array.from({ length: items.length + 1 }, () => ''),
    items,
  )
}

const comma = fragment(', ')

const isList = (asked: OrderAsked | readonly OrderAsked[]): asked is readonly OrderAsked[] => Array.isArray(asked)

function expressionOf(by: string, allowed: Readonly<Record<string, SqlQuery>>): SqlQuery {
  const expression = typeof by === 'string' && Object.hasOwn(allowed, by) ? allowed[by] : undefined
  if (isSqlQuery(expression)) return expression
  if (expression !== undefined) throw new TypeError(`sql.order allows fragments of sql only; ${show(by)} is none`)
  throw new TypeError(`sql.order allows ${Object.keys(allowed).join(', ')}; received ${show(by)}`)
}

function wordOf(direction: unknown): SqlQuery {
  const word = directions.get(direction)
  if (word !== undefined) return word
  throw new TypeError(`A direction is asc or desc; received ${show(direction)}`)
}
