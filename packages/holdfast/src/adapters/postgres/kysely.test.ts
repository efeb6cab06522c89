import { CamelCasePlugin, sql as kyselySql } from 'kysely'
import type { ColumnType, Generated, Kysely } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { actAs } from '../../core/context/acting.ts'
import { ConflictError, NotFoundError } from '../../foundation/errors.ts'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { createTestDatabase } from './embedded/test-database.ts'
import { createKysely } from './kysely.ts'
import { sql } from './sql.ts'
import type { SqlJson } from './sql-value.ts'

interface Things {
  readonly id: Generated<number>
  readonly name: string
  readonly price_cents: Generated<number>
  readonly tags: Generated<readonly string[]>
  readonly made_at: ColumnType<Date, Date | string | undefined, Date | string>
  readonly detail: ColumnType<unknown, SqlJson | null | undefined, SqlJson | null>
  readonly bytes: Uint8Array | null
}

interface Tables {
  readonly things: Things
  readonly letters: { readonly id: number; readonly owner: string }
}

let server: EmbeddedPostgres
let database: Database
let kysely: Kysely<Tables>

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  const { url } = await createTestDatabase({ adminUrl: server.url })
  database = createDatabase({ url, maxConnections: 2 })
  kysely = createKysely<Tables>(database)
  await database.execute(sql`
    create table things (
      id integer primary key generated always as identity, name text not null constraint things_name_key unique,
      price_cents integer not null default 0, tags text[] not null default '{}',
      made_at timestamptz not null default now(), detail jsonb, bytes bytea
    )`)
  await database.execute(sql`create table letters (id integer primary key, owner text not null)`)
  await database.execute(sql`alter table letters enable row level security`)
  await database.execute(sql`alter table letters force row level security`)
  await database.execute(sql`create role reader nologin`)
  await database.execute(sql`grant select, insert on letters to reader`)
  await database.execute(sql`create policy own on letters using (owner = current_setting('app.principal_id', true))`)
}, 60_000)

afterAll(async () => {
  await database?.close()
  await server?.stop()
})

beforeEach(async () => {
  await database.execute(sql`truncate things restart identity`)
})

const insert = (name: string) => kysely.insertInto('things').values({ name })
const names = async () =>
  await database.many(sql`select name from things order by id`, (row: { readonly name: string }) => row.name)

describe('given Kysely over a database', () => {
  test('when rows are asked for, they come with their types', async () => {
    await kysely
      .insertInto('things')
      .values([{ name: 'a', price_cents: 5 }, { name: 'b' }])
      .execute()
    const rows: { id: number; name: string }[] = await kysely
      .selectFrom('things')
      .select(['id', 'name'])
      .where('price_cents', '>', 1)
      .execute()

    expect(rows).toEqual([{ id: 1, name: 'a' }])
    // @ts-expect-error there is no such column
    await expect(kysely.selectFrom('things').select('nmae').execute()).rejects.toThrow('nmae')
  })

  test('when rows change, their number is told, with `returning` or without', async () => {
    const inserted = await kysely
      .insertInto('things')
      .values([{ name: 'a' }, { name: 'b' }])
      .executeTakeFirstOrThrow()
    const updated = await kysely.updateTable('things').set({ price_cents: 1 }).executeTakeFirstOrThrow()
    const returned = await kysely.executeQuery(kysely.updateTable('things').set({ price_cents: 2 }).returning('id'))
    const raw = await kyselySql`update things set price_cents = 3 where name = ${'a'}`.execute(kysely)
    const read = await kysely.executeQuery(kysely.selectFrom('things').select('id'))
    const deleted = await kysely.deleteFrom('things').where('name', '=', 'a').executeTakeFirstOrThrow()

    expect(inserted.numInsertedOrUpdatedRows).toBe(2n)
    expect(updated.numUpdatedRows).toBe(2n)
    expect(returned).toMatchObject({ numAffectedRows: 2n, rows: [{ id: 1 }, { id: 2 }] })
    expect(raw.numAffectedRows).toBe(1n)
    expect(read.numAffectedRows).toBeUndefined()
    expect(deleted.numDeletedRows).toBe(1n)
  })

  test('when a row is missing, it throws what it is told to', async () => {
    const missing = kysely.selectFrom('things').selectAll().where('id', '=', 99)

    await expect(
      missing.executeTakeFirstOrThrow(() => new NotFoundError('things.not_found', 'No thing')),
    ).rejects.toThrow(NotFoundError)
  })

  test('when it has plugins, they work, also added later', async () => {
    const camel = createKysely<{ things: { id: Generated<number>; name: string; priceCents: number } }>(database, {
      plugins: [new CamelCasePlugin()],
    })
    await camel.insertInto('things').values({ name: 'a', priceCents: 7 }).execute()

    expect(await camel.selectFrom('things').select('priceCents').execute()).toEqual([{ priceCents: 7 }])
    expect(await kysely.withPlugin(new CamelCasePlugin()).selectFrom('things').selectAll().execute()).toMatchObject([
      { priceCents: 7 },
    ])
  })

  test('when it asks what tables there are, it learns', async () => {
    const tables = await kysely.introspection.getTables()

    expect(tables.map(({ name }) => name)).toContain('things')
  })

  test('when values are dates, bytes, lists and JSON, they follow the rules of `sql`', async () => {
    const made_at = new Date('2026-01-31T23:59:59.123Z')
    await kysely
      .insertInto('things')
      .values({ name: 'a', made_at, tags: ['x', `it's "y"`], bytes: Uint8Array.of(0, 255), detail: sql.json([1, 'a']) })
      .execute()

    expect(await kysely.selectFrom('things').select(['made_at', 'tags', 'bytes', 'detail']).executeTakeFirst()).toEqual(
      {
        made_at,
        tags: ['x', `it's "y"`],
        bytes: Buffer.of(0, 255),
        detail: [1, 'a'],
      },
    )
  })

  test.each([
    ['a plain object', { toPostgres: () => 'now()' }, 'sql.json'],
    ['undefined', undefined, 'write null'],
    ['an invalid date', new Date('never'), 'valid'],
    ['a symbol', Symbol('x'), 'symbol'],
  ])('when a value is %s, it is refused', async (_, value, message) => {
    const query = kyselySql`select ${kyselySql.val(value)}`

    await expect(query.execute(kysely)).rejects.toThrow(message)
  })

  test('when text holds two statements, the second does not run', async () => {
    await insert('a').execute()

    await expect(kyselySql.raw('select 1; truncate things').execute(kysely)).rejects.toThrow('multiple commands')
    expect(await names()).toEqual(['a'])
  })

  test('when a constraint is violated, it rejects as a query of `sql` does', async () => {
    await insert('a').execute()
    const taken = createKysely<Tables>(database, {
      constraints: { things_name_key: () => new ConflictError('things.name_taken', 'Taken') },
    })

    await expect(insert('a').execute()).rejects.toMatchObject({ kind: 'conflict', code: 'database.already_exists' })
    await expect(taken.insertInto('things').values({ name: 'a' }).execute()).rejects.toMatchObject({
      code: 'things.name_taken',
    })
  })

  test('when it is destroyed, the database goes on', async () => {
    const other = createKysely<Tables>(database)
    await other.selectFrom('things').select('id').execute()
    await other.destroy()

    await expect(other.selectFrom('things').select('id').execute()).rejects.toThrow('destroyed')
    expect(await names()).toEqual([])
  })
})

describe('given a transaction of the database', () => {
  test('when Kysely writes in it, the write is part of it', async () => {
    const work = database.transaction(async () => {
      await insert('a').execute()
      await database.execute(sql`insert into things (name) values ('b')`)
      expect(await kysely.selectFrom('things').select('name').orderBy('id').execute()).toEqual([
        { name: 'a' },
        { name: 'b' },
      ])
      throw new Error('undone')
    })

    await expect(work).rejects.toThrow('undone')
    expect(await names()).toEqual([])
  })

  test('when it is committed, so is what Kysely wrote; a part that failed is not', async () => {
    await database.transaction(async () => {
      await insert('a').execute()
      await expect(database.transaction(async () => await insert('a').execute())).rejects.toThrow(ConflictError)
      await insert('b').execute()
    })

    expect(await names()).toEqual(['a', 'b'])
  })

  test('when Kysely is made of the transaction by name, it is in it', async () => {
    await database.transaction(async (tx) => {
      await database.outsideTransaction(async () => {
        await createKysely<Tables>(tx).insertInto('things').values({ name: 'inside' }).execute()
      })
      expect(await database.outsideTransaction(names)).toEqual([])
    })

    expect(await names()).toEqual(['inside'])
  })

  test('when many flows use one Kysely at once, each stays in its own transaction', async () => {
    const run = async (name: string, isKept: boolean): Promise<void> =>
      await database.transaction(async () => {
        await insert(name).execute()
        if (!isKept) throw new Error('undone')
      })
    await Promise.allSettled(Array.from({ length: 20 }, (_, index) => run(`${index}`, index % 2 === 0)))

    expect((await names()).map(Number).every((name) => name % 2 === 0)).toBe(true)
    expect(await names()).toHaveLength(10)
    expect(database.stats().total).toBe(database.stats().idle)
  })
})

describe('given a database whose rows know who asks', () => {
  test('when Kysely stands on it, each caller sees what is theirs', async () => {
    const owner = database
    await owner.execute(sql`alter table letters no force row level security`)
    await owner.execute(sql`insert into letters values (1, 'ann'), (2, 'bob')`)
    const url = new URL(server.url)
    const { name } = await owner.one(sql`select current_database() as name`, (row: { readonly name: string }) => row)
    url.pathname = `/${name}`
    const service = createDatabase({ url: url.href, role: 'reader', maxConnections: 1 })
    try {
      const secured = createKysely<Tables>(service.rowSecured)
      const seenBy = async (id: string) =>
        await actAs(
          { id, roles: [], permissions: [] },
          async () => await secured.selectFrom('letters').select('id').execute(),
        )

      expect(await seenBy('ann')).toEqual([{ id: 1 }])
      expect(await seenBy('bob')).toEqual([{ id: 2 }])
      expect(await createKysely<Tables>(service).selectFrom('letters').select('id').execute()).toEqual([])
    } finally {
      await service.close()
    }
  })
})

describe('given a signal', () => {
  test.each(['ignore query', 'cancel query'] as const)(
    'when it aborts (%s), the statement ends on the server',
    async (inflightQueryAbortStrategy) => {
      // Kysely tells of it on the console.
      const quiet = vi.spyOn(console, 'error').mockImplementation(() => {})
      const controller = new AbortController()
      const slow = kyselySql`select pg_sleep(30) /* slow */`.execute(kysely, {
        signal: controller.signal,
        inflightQueryAbortStrategy,
      })
      const ended = slow.catch((error: unknown) => error)
      const isRunning = sql`select 1 from pg_stat_activity where query like '%slow */' and state = 'active'`
      await vi.waitFor(async () => expect(await database.query(isRunning)).toHaveLength(1), 5000)
      controller.abort(new Error('gone'))

      expect(await ended).toEqual(new Error('gone'))
      await vi.waitFor(async () => expect(await database.query(isRunning)).toHaveLength(0), 5000)
      await vi.waitFor(() => expect(database.stats().total).toBe(database.stats().idle))
      quiet.mockRestore()
    },
  )
})

describe("given Kysely's own ways to a connection", () => {
  test('when a transaction of its own is asked for, it says what to use', async () => {
    expect(() => kysely.transaction()).toThrow('Use database.transaction(work) instead')
    expect(() => kysely.startTransaction()).toThrow('Kysely joins it')
    expect(() => kysely.connection()).toThrow("instead of Kysely's connection()")
  })

  test('when a copy of it is asked, it refuses too', async () => {
    const copy = kysely.withSchema('public')

    await expect(copy.transaction().execute(async (tx) => await tx.selectFrom('things').execute())).rejects.toThrow(
      'Use database.transaction(work)',
    )
    await expect(copy.startTransaction().execute()).rejects.toThrow('Use database.transaction(work)')
    const twoQueries = copy.connection().execute(async (one) => {
      await one.selectFrom('things').select('id').execute()
      await one.selectFrom('things').select('id').execute()
    })
    await expect(twoQueries).rejects.toThrow("instead of Kysely's connection()")
  })

  test('when rows are to be streamed, it says what to do instead', async () => {
    const readAll = async (): Promise<void> => {
      for await (const row of kysely.selectFrom('things').selectAll().stream()) expect(row).toBeDefined()
    }

    await expect(readAll()).rejects.toThrow('read in pages')
  })

  test('when somebody begins one in raw SQL, it is refused and rolled back', async () => {
    await expect(kyselySql`begin`.execute(kysely)).rejects.toThrow(/transaction/)
    expect(await names()).toEqual([])
  })

  test('when it is given something else than a database, it says so', () => {
    expect(() => createKysely({ query: async () => [] } as never)).toThrow(TypeError)
    // @ts-expect-error a pool has other ways
    expect(() => createKysely({})).toThrow('createDatabase')
  })
})
