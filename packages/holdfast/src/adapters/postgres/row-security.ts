import { currentCaller } from '../../core/context/acting.ts'
import type { Caller } from '../../core/context/request-context.ts'
import type { Queries } from './queries.ts'
import { sql } from './sql.ts'
import type { SqlQuery } from './sql.ts'

/** Who asks, as policies read it; and a key that is equal for equal askers. */
export interface RowAccess {
  readonly key: string
  readonly query: SqlQuery
}

/**
 * Tells policies, until the end of the transaction, who asks: `app.principal_id`, and `app.roles` and `app.permissions`
 * with commas in between. Nobody is an empty id without roles.
 *
 * @throws {TypeError} for a role or permission with a comma, which policies would read as two
 */
export function currentRowAccess(): RowAccess {
  return rowAccessOf(currentCaller() ?? nobody)
}

function rowAccessOf({ id, roles, permissions }: Caller): RowAccess {
  const values = [id, toList('role', roles), toList('permission', permissions)] as const
  return {
    key: JSON.stringify(values),
    query: sql`
      select set_config('app.principal_id', ${values[0]}, true), set_config('app.roles', ${values[1]}, true),
        set_config('app.permissions', ${values[2]}, true)`,
  }
}

const nobody: Caller = { id: '', roles: [], permissions: [] }

/** That of whatever is asked without row security. */
export const nobodysRowAccess: RowAccess = rowAccessOf(nobody)

function toList(what: string, names: readonly string[]): string {
  const split = names.find((name) => name.includes(','))
  if (split === undefined) return names.join(',')
  throw new TypeError(`A ${what} has no comma in its name, or row-level security would read two; received ${split}`)
}

interface TableState {
  readonly name: string
  readonly found: boolean
  readonly secured: boolean
  readonly bypassed: boolean
}

/**
 * Refuses to go on where row-level security would guard nothing: tables without it, or a role that it does not hold for,
 * which are superusers, roles with BYPASSRLS, and owners unless it is forced on them too. For the start of a service.
 *
 * @param tables - as the migrations name them
 * @throws {Error} saying which table and what to do
 */
export async function assertRowSecurity(database: Queries, tables: readonly string[]): Promise<void> {
  const role = await database.one(
    sql`select rolname as name, rolsuper or rolbypassrls as bypasses from pg_roles where rolname = current_user`,
    (row: { readonly name: string; readonly bypasses: boolean }) => row,
  )
  if (role.bypasses) {
    throw new Error(
      `Row-level security does not hold for the role ${role.name}, a superuser or one with BYPASSRLS. ` +
        'Connect as another one, or give createDatabase a `role`',
    )
  }
  const states = await database.many(
    sql`
      select asked.name, class.oid is not null as found, coalesce(class.relrowsecurity, false) as secured,
        coalesce(pg_has_role(current_user, class.relowner, 'USAGE') and not class.relforcerowsecurity, false) as bypassed
      from unnest(${tables}::text[]) as asked(name) left join pg_class as class on class.oid = to_regclass(asked.name)`,
    (row: TableState) => row,
  )
  const faults = states.flatMap((state) => faultOf(state, role.name) ?? [])
  if (faults.length > 0) throw new Error(`Row-level security does not guard everything: ${faults.join('; ')}`)
}

function faultOf({ name, found, secured, bypassed }: TableState, role: string): string | undefined {
  if (!found) return `there is no table ${name}`
  if (!secured) return `${name} lacks it (alter table ${name} enable row level security)`
  if (bypassed) return `${role} owns ${name} (alter table ${name} force row level security)`
  return undefined
}
