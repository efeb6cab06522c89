import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { sql } from './sql.ts'

let server: EmbeddedPostgres
let database: Database

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  database = createDatabase({ url: server.url })
  await database.execute(sql`
    create table things (
      id integer primary key, name text, price numeric, big bigint, made_at timestamptz, day date, is_good boolean,
      bytes bytea, detail jsonb, share double precision, address inet, token uuid, wait interval
    )`)
}, 60_000)

afterAll(async () => {
  await database?.close()
  await server?.stop()
})

beforeEach(async () => {
  await database.execute(sql`truncate things`)
})

const types = {
  id: 'integer',
  name: 'text',
  price: 'numeric',
  big: 'bigint',
  made_at: 'timestamptz',
  day: 'date',
  is_good: 'boolean',
  bytes: 'bytea',
  detail: 'jsonb',
  share: 'double precision',
  address: 'inet',
  token: 'uuid',
  wait: 'interval',
} as const

const insertThings = (rows: Parameters<typeof sql.records<typeof types>>[0]) =>
  sql`insert into things select * from ${sql.records(rows, types)} as thing`

const full = {
  id: 1,
  name: `it's "one", {two}, \\three\\ and NULL`,
  price: '12.50',
  big: 9_007_199_254_740_993n,
  made_at: new Date('2026-01-31T23:59:59.123Z'),
  day: '2026-01-31',
  is_good: true,
  bytes: Uint8Array.of(0, 92, 34, 255),
  detail: sql.json({ list: [1, 'a"b\\c', null], text: '{}' }),
  share: 0.1,
  address: '10.0.0.1',
  token: '0198a3a1-0000-7000-8000-000000000000',
  wait: '01:02:03',
}
const bare = Object.fromEntries(Object.keys(types).map((name) => [name, null])) as {
  [Name in keyof typeof types]: null
}

describe('given rows inserted at once', () => {
  test('when they hold values of every sort, all arrive as they were', async () => {
    expect(await database.execute(insertThings([full, { ...bare, id: 2 }]))).toBe(2)

    const [first, second] = await database.query(sql`
      select id, name, price, big::text, made_at, day, is_good, bytes, detail, share, address, token, wait::text
      from things order by id`)
    expect(first).toEqual({
      ...full,
      big: '9007199254740993',
      bytes: Buffer.from(full.bytes),
      detail: { list: [1, 'a"b\\c', null], text: '{}' },
    })
    expect(second).toEqual({ ...bare, id: 2 })
  })

  test('when there are none, nothing is inserted', async () => {
    expect(await database.execute(insertThings([]))).toBe(0)
  })

  test('when there are ten thousand, one statement takes them', async () => {
    const rows = Array.from({ length: 10_000 }, (_, id) => ({ ...bare, id, name: `thing ${id}` }))

    expect(await database.execute(insertThings(rows))).toBe(10_000)
  })

  test('when texts are anything at all, each comes back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }).filter(isStorable), { maxLength: 20 }), async (names) => {
        const rows = names.map((name, id) => ({ id, name }))
        const records = sql.records(rows, { id: 'integer', name: 'text' })
        expect(await database.query(sql`select name from ${records} as sent order by id`)).toEqual(
          names.map((name) => ({ name })),
        )
      }),
      { numRuns: 50 },
    )
  })

  test('when they are read from in an update, each row gets its own change', async () => {
    await database.execute(insertThings([full, { ...bare, id: 2 }]))
    const changed = sql.records(
      [
        { id: 2, name: 'two' },
        { id: 1, name: 'one' },
      ],
      { id: 'integer', name: 'text' },
    )

    await database.execute(sql`update things set name = sent.name from ${changed} as sent where things.id = sent.id`)
    expect(await database.query(sql`select name from things order by id`)).toEqual([{ name: 'one' }, { name: 'two' }])
  })
})

describe('given a stored row', () => {
  beforeEach(async () => {
    await database.execute(insertThings([full, { ...bare, id: 2, name: 'b' }]))
  })

  test('when a change names some members, the others stay', async () => {
    const change = { name: `'; drop table things; --`, price: undefined, id: 99 }
    await database.execute(
      sql`update things set ${sql.changes(change, { name: 'name', price: 'price' })} where id = ${1}`,
    )

    expect(await database.query(sql`select id, name, price from things order by id`)).toEqual([
      { id: 1, name: change.name, price: '12.50' },
      { id: 2, name: 'b', price: null },
    ])
  })

  test('when a list is ordered by what is asked for, it comes in that order', async () => {
    const allowed = { name: sql`lower(name)`, id: sql`id` }
    const idsBy = async (by: string, direction: 'asc' | 'desc') =>
      await database.many(
        sql`select id from things order by ${sql.order({ by, direction }, allowed)}`,
        ({ id }: { readonly id: number }) => id,
      )

    expect(await idsBy('name', 'asc')).toEqual([2, 1])
    expect(await idsBy('name', 'desc')).toEqual([1, 2])
    expect(await idsBy('id', 'asc')).toEqual([1, 2])
  })
})

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}
