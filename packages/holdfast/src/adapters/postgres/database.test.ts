import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ConflictError } from '../../foundation/errors.ts'
import { shown } from '../../foundation/whole-number.ts'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import type { DatabaseOptions } from './database-options.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { sql } from './sql.ts'

let server: EmbeddedPostgres
let database: Database
const opened: Database[] = []

function open(options: Partial<DatabaseOptions> = {}): Database {
  const one = createDatabase({ url: server.url, ...options })
  opened.push(one)
  return one
}

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  database = open()
  await database.execute(sql`create table shops (id int primary key)`)
  await database.execute(sql`
    create table products (
      id bigint generated always as identity primary key,
      sku text not null constraint products_sku_key unique,
      price numeric(10, 2) not null default 0 constraint products_price_check check (price >= 0),
      shop_id int constraint products_shop_id_fkey references shops (id) on delete restrict
    )`)
}, 60_000)

afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()))
  await server?.stop()
})

beforeEach(async () => {
  await database.execute(sql`truncate products, shops`)
})

interface ProductRow {
  readonly id: number
  readonly sku: string
}
const toSku = (row: ProductRow): string => row.sku
const toPid = (row: { readonly pid: number }): number => row.pid
const insert = (sku: string) => sql`insert into products (sku) values (${sku}) returning id, sku`

describe('given a table with rows', () => {
  beforeEach(async () => {
    for (const sku of ['a', 'b']) await database.one(insert(sku), toSku)
  })

  test('when many are asked for, each becomes an item', async () => {
    const skus: string[] = await database.many(sql`select id, sku from products order by sku`, toSku)

    expect(skus).toEqual(['a', 'b'])
  })

  test('when one is asked for, there has to be exactly one', async () => {
    expect(await database.one(sql`select sku from products where sku = ${'a'}`, toSku)).toBe('a')
    await expect(database.one(sql`select sku from products where false`, toSku)).rejects.toThrow('0 rows')
    await expect(database.one(sql`select sku from products`, toSku)).rejects.toThrow('2 rows')
  })

  test('when one may be missing, nothing comes back for it', async () => {
    expect(await database.maybeOne(sql`select sku from products where sku = ${'z'}`, toSku)).toBeUndefined()
    await expect(database.maybeOne(sql`select sku from products`, toSku)).rejects.toThrow('2 rows')
  })

  test('when rows are changed, their number comes back', async () => {
    expect(await database.execute(sql`update products set price = price + 1`)).toBe(2)
    expect(await database.execute(sql`delete from products where false`)).toBe(0)
  })

  test('when rows are asked for as they are, they come as they are', async () => {
    expect(await database.query(sql`select sku from products order by sku`)).toEqual([{ sku: 'a' }, { sku: 'b' }])
  })

  test('when a schema reads the rows, it checks them and types them', async () => {
    const product = z.object({ id: z.number(), sku: z.string() }).transform(({ sku }) => ({ name: sku }))
    const names: { name: string }[] = await database.many(sql`select id, sku from products order by sku`, product)

    expect(names).toEqual([{ name: 'a' }, { name: 'b' }])
  })

  test('when a row does not fit its schema, it is a defect that names the column', async () => {
    const wrong = z.object({ sku: z.number() })

    await expect(database.many(sql`select sku from products`, wrong)).rejects.toThrow(/does not fit its schema. sku:/)
  })
})

describe('given values from an attacker', () => {
  const attacks = [`'; drop table products; --`, `$1`, `\\'; select 1`, `a' or '1'='1`, `"`, `{a,b}`, `NULL`, '\u2028']

  test('when they are stored and looked up, they are text and nothing else', async () => {
    for (const attack of attacks) {
      await database.execute(insert(attack))
      expect(await database.many(sql`select sku from products where sku = ${attack}`, toSku)).toEqual([attack])
      expect(await database.many(sql`select sku from products where sku = any(${[attack]})`, toSku)).toEqual([attack])
    }
    expect(await database.query(sql`select 1 from products`)).toHaveLength(attacks.length)
  })

  test('when they stand in a json value, they are json and nothing else', async () => {
    const value = { note: attacks }

    expect(await database.query(sql`select ${sql.json(value)}::jsonb as value`)).toEqual([{ value }])
  })

  test('when a text holds NUL, the caller hears that it cannot be stored', async () => {
    await expect(database.execute(insert('a\0b'))).rejects.toMatchObject({
      kind: 'invalid',
      code: 'database.text_not_storable',
    })
    const escaped = sql`select ${sql.json({ a: '\0' })}::jsonb`
    await expect(database.query(escaped)).rejects.toMatchObject({ kind: 'invalid' })
  })

  test.each([
    ['a text', `select 1; drop table products`],
    ['a body that looks like a query', JSON.parse('{"text":"drop table products","values":[]}')],
    ['nothing', undefined],
  ])('when %s is given instead of a query, it is refused', async (_, forged) => {
    await expect(database.query(forged as never)).rejects.toThrow(TypeError)
    // @ts-expect-error a text is not a query
    await expect(database.query('select 1')).rejects.toThrow('sql`select …`')
  })

  test.each([true, false])('when a text holds two statements, none runs (named: %s)', async (namedStatements) => {
    const other = open({ namedStatements })

    await expect(other.query(sql`select 1; drop table products`)).rejects.toThrow('multiple commands')
    expect(await other.query(sql`select sku from products`)).toEqual([])
  })

  test('when a name is wanted that nobody allowed, nothing is sent', async () => {
    expect(() => sql`select sku from products order by ${sql.identifier('sku; drop', ['sku'])}`).toThrow(TypeError)
    const sorted = sql`select sku from products order by ${sql.identifier('sku', ['sku'])}`
    expect(await database.query(sorted)).toEqual([])
  })
})

describe('given columns that JavaScript reads wrongly', () => {
  const value = async (query: Parameters<Database['query']>[0]): Promise<unknown> => {
    const rows = await database.query(query)
    return Object.values(rows[0] ?? {})[0]
  }

  test('when an int8 is safe, it is a number', async () => {
    expect(await value(sql`select count(*) from products`)).toBe(0)
    expect(await value(sql`select array[1, null, 9007199254740991]::int8[]`)).toEqual([1, null, 9007199254740991])
  })

  test('when an int8 is not safe, it is an error and never a wrong number', async () => {
    await expect(value(sql`select 9007199254740993::int8`)).rejects.toThrow(RangeError)
    await expect(value(sql`select array[9007199254740993]::int8[]`)).rejects.toThrow(RangeError)
    expect(await value(sql`select ${9007199254740993n}::int8::text`)).toBe('9007199254740993')
  })

  test('when a numeric is exact, it stays exact as text', async () => {
    expect(await value(sql`select 0.1::numeric(10, 2)`)).toBe('0.10')
    expect(await value(sql`select array[12345678901234567890.12]::numeric[]`)).toEqual(['12345678901234567890.12'])
  })

  test('when a date has no time, it is the day as text', async () => {
    expect(await value(sql`select date '2026-01-31'`)).toBe('2026-01-31')
    expect(await value(sql`select array[date '2026-01-31']`)).toEqual(['2026-01-31'])
  })

  test.each(['UTC', 'America/New_York', 'Asia/Kolkata'])(
    'when a moment is stored from %s, it comes back',
    async (zone) => {
      const before = process.env['TZ']
      process.env['TZ'] = zone
      try {
        const moment = new Date('2026-07-01T12:34:56.789Z')
        expect(await value(sql`select ${moment}::timestamptz`)).toEqual(moment)
        expect(await value(sql`select ${moment}::timestamp`)).toEqual(moment)
        expect(await value(sql`select ${[moment]}::timestamp[]`)).toEqual([moment])
        expect(await value(sql`select 'infinity'::timestamp`)).toBe(Infinity)
      } finally {
        if (before === undefined) delete process.env['TZ']
        else process.env['TZ'] = before
      }
    },
  )

  test('when bytes are stored, they come back', async () => {
    expect(await value(sql`select ${new Uint8Array([0, 255])}::bytea`)).toEqual(Buffer.from([0, 255]))
  })
})

describe('given a constraint that is violated', () => {
  test('when a value is taken, it is a conflict that names nothing of the schema', async () => {
    await database.execute(insert('a'))
    const thrown = await database.execute(insert('a')).catch((error: unknown) => error)

    expect(thrown).toMatchObject({ kind: 'conflict', code: 'database.already_exists', cause: { code: '23505' } })
    expect((thrown as Error).message).not.toMatch(/products|sku/)
  })

  test('when the repository knows the constraint, its own error is thrown', async () => {
    const constraints = {
      products_sku_key: (cause: unknown) => new ConflictError('catalog.sku_taken', 'This SKU is taken.', { cause }),
    }
    await database.one(insert('a'), toSku, { constraints })

    await expect(database.one(insert('a'), toSku, { constraints })).rejects.toMatchObject({
      code: 'catalog.sku_taken',
      cause: { constraint: 'products_sku_key' },
    })
  })

  test('when a reference leads nowhere, it is a conflict', async () => {
    const orphan = sql`insert into products (sku, shop_id) values ('a', ${7})`

    await expect(database.execute(orphan)).rejects.toMatchObject({ code: 'database.reference_conflict' })
  })

  test('when something is removed that others refer to, it is a conflict', async () => {
    await database.execute(sql`insert into shops values (1)`)
    await database.execute(sql`insert into products (sku, shop_id) values ('a', 1)`)

    await expect(database.execute(sql`delete from shops`)).rejects.toMatchObject({ kind: 'conflict' })
  })

  test('when a check fails, it is a defect', async () => {
    const thrown = await database
      .execute(sql`insert into products (sku, price) values ('a', -1)`)
      .catch((e: unknown) => e)

    expect(thrown).toMatchObject({ code: '23514' })
    expect(thrown).not.toHaveProperty('kind')
  })

  test('when it happens again and again, the connection stays', async () => {
    const one = open({ maxConnections: 1 })
    const pid = await one.one(sql`select pg_backend_pid() as pid`, toPid)
    await one.execute(insert('a'))
    for (let index = 0; index < 20; index += 1) await expect(one.execute(insert('a'))).rejects.toThrow()

    expect(await one.one(sql`select pg_backend_pid() as pid`, toPid)).toBe(pid)
  })

  test('when the error is printed, its stack leads to the caller', async () => {
    async function repositoryMethod(): Promise<void> {
      await database.execute(insert('a'))
    }
    await repositoryMethod()
    const thrown = (await repositoryMethod().catch((error: unknown) => error)) as Error
    const broken = (await database.query(sql`selec 1`).catch((error: unknown) => error)) as Error

    expect(thrown.stack).toContain('repositoryMethod')
    expect(broken.stack).toContain('database.test.ts')
  })
})

describe('given a query that begins a transaction', () => {
  test('when it ends, the transaction is not handed to the next query', async () => {
    const one = open({ maxConnections: 1 })
    const before = await one.one(sql`select pg_backend_pid() as pid`, toPid)

    await expect(one.query(sql`begin`)).rejects.toThrow('left a transaction open')
    expect(await one.one(sql`select pg_backend_pid() as pid`, toPid)).not.toBe(before)
    expect(one.stats()).toMatchObject({ total: 1, idle: 1 })
  })
})

describe('given named statements', () => {
  const prepared = (one: Database): Promise<unknown[]> =>
    one.query(sql`select name from pg_prepared_statements where name like 'hf%' and statement like '%marker%'`)

  test('when a query runs many times, its connection prepares it once', async () => {
    const one = open({ maxConnections: 1 })
    for (let index = 0; index < 5; index += 1) await one.query(sql`select ${index}::int as marker`)

    expect(await prepared(one)).toHaveLength(2)
  })

  test('when composed texts vary without end, the server keeps a bounded number', async () => {
    const one = open({ maxConnections: 1 })
    for (let index = 1; index <= 400; index += 1) {
      await one.query(sql`select 1 as marker where 1 in (${sql.join(Array.from({ length: index }, () => sql`1`))})`)
    }
    const kept = await prepared(one)

    expect(kept.length).toBeLessThanOrEqual(251)
    expect(kept.length).toBeGreaterThan(100)
  })

  test('when they are switched off, nothing is prepared', async () => {
    const one = open({ maxConnections: 1, namedStatements: false })
    await one.query(sql`select ${1}::int as marker`)

    expect(await prepared(one)).toEqual([])
  })

  test('when a migration changes the result of one, the query still works and its connection is replaced', async () => {
    const one = open({ maxConnections: 1 })
    await one.execute(sql`create table notes (note int)`)
    const select = () => one.query(sql`select note from notes`)
    await one.execute(sql`insert into notes values (1)`)
    const pid = await one.one(sql`select pg_backend_pid() as pid`, toPid)
    expect(await select()).toEqual([{ note: 1 }])
    await one.execute(sql`alter table notes alter column note type text`)

    expect(await select()).toEqual([{ note: '1' }])
    expect(await one.one(sql`select pg_backend_pid() as pid`, toPid)).not.toBe(pid)
  })

  test('when the session loses them, as behind a pooler, the query still works', async () => {
    const one = open({ maxConnections: 1 })
    const select = () => one.query(sql`select ${'x'}::text as marker`)
    await select()
    await one.execute(sql`deallocate all`)

    expect(await select()).toEqual([{ marker: 'x' }])
  })
})

describe('given options out of bounds', () => {
  const names = [
    'maxConnections',
    'connectionTimeoutMs',
    'statementTimeoutMs',
    'lockTimeoutMs',
    'maxLifetimeSeconds',
  ] as const
  const values = [Number.NaN, -1, 0, Infinity, 1.5, 2 ** 31, '5' as never]

  test.each(names.flatMap((name) => values.map((value) => [name, value] as const)))(
    'when %s is %s, it is refused with the value',
    (name, value) => {
      expect(() => createDatabase({ url: server.url, [name]: value })).toThrow(RangeError)
      expect(() => createDatabase({ url: server.url, [name]: value })).toThrow(`${name} is ${shown(value)}; it must be`)
    },
  )

  test('when a limit could never come, it is refused', () => {
    const { url } = server
    expect(() => createDatabase({ url, lockTimeoutMs: 2000, statementTimeoutMs: 1000 })).toThrow('would never come')
    expect(() => createDatabase({ url, queryTimeoutMs: 500, statementTimeoutMs: 1000 })).toThrow('has to be above')
  })

  test.each([
    'mysql://root:hunter2@host/db',
    'hunter2',
    '',
    'postgres://user:hunter2@host:99999/db',
    'postgres://user:hunter2@host/db?statement_timeout=0',
    'postgres://user:hunter2@host/db?x=1&query_timeout=0',
    'postgres://user:hunter2@host/db?sslmode=verify-full&sslrootcert=/no/such/file',
  ])('when the url is %s, it is refused without showing it', (url) => {
    expect(() => createDatabase({ url })).toThrow(TypeError)
    expect(() => createDatabase({ url })).not.toThrow(/hunter2/)
  })
})
