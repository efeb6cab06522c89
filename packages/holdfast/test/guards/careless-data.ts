import pg from 'pg'
import type { RowMapper } from '../../src/foundation/row-mapper.ts'
import { fromCompiled } from '../../src/adapters/postgres/sql-query.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import type { Authenticate } from '../../src/core/auth/principal.ts'
import type { Weaken } from './careless.ts'
import type { Variant } from './lab.ts'
import { type Account, createNotes, type Database, serviceRole, toNote } from './repositories.ts'
import type { Service } from './service.ts'
import { type Item, productColumns, type ProductRow, toProduct } from './shop.ts'

// What stands behind a guard in the data layer, taken out in its turn. The careless repositories work with the rights of
// the service, as whoever asks: what the database itself says still holds for them.

/** Nothing of the database says whose a note is, and nobody noticed at the start. */
export const withoutRowSecurity: Variant = {
  ddl: 'alter table notes disable row level security',
  startsUnchecked: true,
}

/** The service is the owner of its tables, and a superuser. */
export const asOwner: NonNullable<Variant['connects']> = ({ role: _role, ...options }) => options

/** The service has one connection for everybody. */
export const oneConnection: NonNullable<Variant['connects']> = (options) => ({ ...options, maxConnections: 1 })

/** SQL that does not ask whose a note is. */
export const withoutOwnerInSql: Weaken = (parts, { database }) => ({
  ...parts,
  notes: {
    ...parts.notes,
    list: () => database.rowSecured.many(sql`select * from notes order by title`, toNote),
    update: ({ id }, { title = null }) =>
      database.rowSecured.maybeOne(
        sql`update notes set title = coalesce(${title}, title) where id = ${id} returning *`,
        toNote,
      ),
    delete: async ({ id }) => (await database.rowSecured.execute(sql`delete from notes where id = ${id}`)) === 1,
  },
})

/** SQL that does not say who asks. */
export const withoutRowSecured: Weaken = (parts, { database }) => ({ ...parts, notes: createNotes(database) })

/** The service takes every note for one that its owner shares. */
export const everythingIsShared: Weaken = (parts) => ({
  ...parts,
  notes: {
    ...parts.notes,
    find: async (id) => {
      const note = await parts.notes.find(id)
      return note && { ...note, isShared: true }
    },
  },
})

/** SQL put together from texts, with the rights of the service and in the name of whoever asks. */
export const splicedAsCaller: Weaken = (parts, { database }) => ({
  ...parts,
  notes: {
    ...parts.notes,
    find: async (id) => {
      const [note] = await database.rowSecured.many(
        written(`select id, owner_id, title, body, label, is_shared from notes where id::text = '${id}'`),
        toNote,
      )
      return note
    },
  },
})

/** SQL that writes whatever members came, each to the column of its name. */
export const whateverColumns: Weaken = (parts, { database }) => ({
  ...parts,
  accounts: {
    ...parts.accounts,
    insert({ passwordHash, ...account }) {
      const { password: _, ...members } = { ...account, password_hash: passwordHash } as Record<string, unknown>
      return insertAll<Account, Account>(database, 'accounts', members, (row) => row)
    },
  },
  notes: {
    ...parts.notes,
    insert: (ownerId, note) => insertAll(database, 'notes', { owner_id: ownerId, ...note }, toNote),
    update({ id, ownerId }, change) {
      const { names, values } = namesAndValues(change, 2)
      const text = `update notes set ${names.join(', ')} where id = $1 and owner_id = $2 returning *`
      return database.rowSecured.maybeOne(written(text, [id, ownerId, ...values]), toNote)
    },
  },
  shop: {
    ...parts.shop,
    async change(id, change) {
      const { names, values } = namesAndValues(change, 1)
      await database.execute(written(`update products set ${names.join(', ')} where id = $1`, [id, ...values]))
    },
  },
})

function insertAll<Written, FromRow>(
  database: Database,
  table: string,
  members: object,
  toItem: RowMapper<Written, FromRow>,
) {
  const names = Object.keys(members).map((name) => pg.escapeIdentifier(name))
  const places = names.map((_, at) => `$${at + 1}`)
  const text = `insert into ${table} (${names.join(', ')}) values (${places.join(', ')}) returning *`
  return database.rowSecured.one(written(text, Object.values(members)), toItem)
}

function namesAndValues(change: object, before: number) {
  const names = Object.keys(change).map((name, at) => `${pg.escapeIdentifier(name)} = $${at + before + 1}`)
  return { names, values: Object.values(change) as unknown[] }
}

/** SQL that takes what to sort by from whoever asks. */
export const splicedOrder: Weaken = (parts, { database }) => ({
  ...parts,
  shop: {
    ...parts.shop,
    list: ({ by, direction }) =>
      database.many(written(`select * from products order by ${by} ${direction}, id limit 100`), toProduct),
  },
})

/** Believes that it wrote itself whatever cursor it gets. */
export const anyCursor: Weaken = (parts, { database }) => ({
  ...parts,
  shop: {
    ...parts.shop,
    async page(cursor) {
      if (cursor === undefined) return await parts.shop.page(cursor)
      const [name, id] = keyIn(cursor)
      const after = sql`select ${productColumns} from products where (name, id) > (${name}, ${id}) order by name, id`
      return { items: await database.many(after, toProduct), nextCursor: null }
    },
  },
})

/** Writes what is in a cursor into the text of the query. */
export const splicedCursor: Weaken = (parts, { database }) => ({
  ...parts,
  shop: {
    ...parts.shop,
    async page(cursor) {
      if (cursor === undefined) return await parts.shop.page(cursor)
      const [name, id] = keyIn(cursor)
      const after = written(
        `select id, name, condition, price_cents, stock from products
         where (name, id::text) > ('${name}', '${id}') order by name, id`,
      )
      return { items: await database.many(after, toProduct), nextCursor: null }
    },
  },
})

/** The same, of cursors that are checked. */
export const splicedCheckedCursor: Weaken = (parts, stores) => {
  const spliced = splicedCursor(parts, stores)
  const page: typeof parts.shop.page = async (cursor) => {
    await parts.shop.page(cursor)
    return spliced.shop.page(cursor)
  }
  return { ...parts, shop: { ...parts.shop, page } }
}

function keyIn(cursor: string): readonly [string, string] {
  const [, , name, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as string[]
  return [name ?? '', id ?? '']
}

/** Takes from stock without asking how much there is. */
export const takesWhatIsNotThere: Weaken = (parts, { database }) => ({
  ...parts,
  shop: {
    ...parts.shop,
    async take({ productId, quantity }) {
      return (
        (await database.execute(sql`update products set stock = stock - ${quantity} where id = ${productId}`)) === 1
      )
    },
  },
})

/** Takes every number for a number of pieces. */
export const anyNumber: Weaken = (parts, { database }) => ({
  ...parts,
  shop: {
    ...parts.shop,
    async insertOrders(accountId: string, items: readonly Item[]) {
      for (const { productId, quantity } of items) {
        await database.execute(
          sql`insert into orders (account_id, product_id, quantity) values (${accountId}, ${productId}, ${quantity})`,
        )
      }
    },
  },
})

/** Takes rows as they come. */
export const uncheckedRows: Weaken = (parts, { database }) => ({
  ...parts,
  shop: {
    ...parts.shop,
    find: (id) =>
      database.maybeOne(sql`select ${productColumns} from products where id = ${id}`, (row: ProductRow) =>
        toProduct(row),
      ),
  },
})

/** Keeps permissions as one text with commas in between. */
export const splitsPermissions = (service: Service): Service => {
  const kept = service.options.authenticate as Authenticate
  const authenticate: Authenticate = async (credentials) => {
    const principal = await kept(credentials)
    return principal && { ...principal, permissions: principal.permissions.join(',').split(',') }
  }
  return { ...service, options: { ...service.options, authenticate } }
}

/** Guests say what they are called, in whatever letters, and are nobody with an account. */
export const guestsNameThemselves = (service: Service): Service => {
  const authenticate: Authenticate = ({ authorization = '' }) => {
    const name = /^Guest (.+)$/.exec(authorization)?.[1]
    return name === undefined ? undefined : { id: `guest-${name}`, roles: [], permissions: ['notes:read'] }
  }
  return { ...service, options: { ...service.options, authenticate } }
}

/**
 * What tells the database who asks is another function than that of PostgreSQL: the queries of the kit stay as they are,
 * and what they rely on is gone.
 */
const setConfig = (body: string): Variant => ({
  ddl: `
create schema careless;
grant usage on schema careless to ${serviceRole};
create function careless.set_config(name text, value text, is_local boolean) returns text
  language plpgsql as $$ begin ${body}; end $$;
do $$ begin
  execute format('alter database %I set search_path = careless, pg_catalog, public', current_database());
end $$;`,
})
const said = (isLocal: string): string => `pg_catalog.set_config(name, value, ${isLocal})`
const unlessNobody = (set: string): string => `case when value = '' then '' else ${set} end`

/** Who asked is known to the connection after the transaction, too. */
export const callerStays = setConfig(`return ${said('false')}`)
/** That nobody asks is not said. */
export const nobodyUnsaid = setConfig(`return ${unlessNobody(said('is_local'))}`)
export const staysAndNobodyUnsaid = setConfig(`return ${unlessNobody(said('false'))}`)
/** Whoever asks first in a transaction is taken for who asks all the rest. */
export const firstStays = setConfig(
  `return case when current_setting(name, true) <> '' then current_setting(name, true) else ${said('is_local')} end`,
)

/** Who asks is written into the text of a query. */
export const splicedCaller = setConfig(
  `execute 'select pg_catalog.set_config(''' || name || ''', ''' || value || ''', true)'; return value`,
)

const written = (text: string, values: readonly unknown[] = []) => fromCompiled(text, values)
