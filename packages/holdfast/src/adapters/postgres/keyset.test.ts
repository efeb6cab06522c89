import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { AppError, ValidationError } from '../../foundation/errors.ts'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { keyset } from './keyset.ts'
import type { Keyset, KeyColumn, PageParts } from './keyset.ts'
import { sql } from './sql.ts'
import type { SqlQuery } from './sql.ts'

const newestFirst = keyset({
  list: 'events',
  by: [
    { column: 'created_at', type: 'timestamptz', direction: 'desc' },
    { column: 'id', type: 'integer', direction: 'desc' },
  ],
})
const cheapestFirst = keyset({
  list: 'events',
  by: [
    { column: 'price', type: 'numeric' },
    { column: 'created_at', type: 'timestamptz', direction: 'desc' },
    { column: 'id', type: 'integer', direction: 'desc' },
  ],
})

let server: EmbeddedPostgres
let database: Database

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  database = createDatabase({ url: server.url })
  await database.execute(sql`
    create table events (
      id integer primary key, created_at timestamptz not null, price numeric not null, name text not null default ''
    )`)
  await database.execute(sql`create index events_newest on events (created_at desc, id desc)`)
  await database.execute(sql`create index events_cheapest on events (price, created_at desc, id desc)`)
}, 60_000)

afterAll(async () => {
  await database?.close()
  await server?.stop()
})

beforeEach(async () => {
  await database.execute(sql`truncate events`)
})

const eventsOf = ({ key, isAfter, order, count }: PageParts): SqlQuery =>
  sql`select id, ${key} from events where ${isAfter} order by ${order} limit ${count}`
const toId = ({ id }: { readonly id: number }): number => id

const pageOf = (list: Keyset, cursor: string | undefined, limit: number) =>
  list.page(database, { cursor, limit }, eventsOf, toId)

async function readAll(
  list: Keyset,
  limit: number,
  between: () => Promise<unknown> = async () => {},
): Promise<number[]> {
  const seen: number[] = []
  let cursor: string | undefined
  do {
    const page = await pageOf(list, cursor, limit)
    expect(page.items.length).toBeLessThanOrEqual(limit)
    seen.push(...page.items)
    cursor = page.nextCursor ?? undefined
    await between()
  } while (cursor !== undefined)
  return seen
}

/** Many ties: a few moments a microsecond apart, which a Date would take for one, and few prices. */
const insertEvents = (from: number, to: number) =>
  database.execute(sql`
    insert into events (id, created_at, price)
    select n, timestamptz '2026-01-31 23:59:59.999990+00' + (n * 7919 % 20) * interval '1 microsecond', n * 31 % 5
    from generate_series(${from}::integer, ${to}::integer) as n`)

describe('given a list with many ties', () => {
  beforeEach(async () => {
    await insertEvents(1, 200)
  })

  test.each([1, 3, 7, 199, 200, 201])(
    'when it is read %i at a time, each row comes once and in order',
    async (limit) => {
      const newest = await database.many(sql`select id from events order by created_at desc, id desc`, toId)
      const cheapest = await database.many(sql`select id from events order by price, created_at desc, id desc`, toId)

      expect(await readAll(newestFirst, limit)).toEqual(newest)
      expect(await readAll(cheapestFirst, limit)).toEqual(cheapest)
    },
  )

  test('when rows come and go meanwhile, each one that stays comes exactly once', async () => {
    let next = 201
    const churn = async (): Promise<void> => {
      await insertEvents(next, next + 9)
      next += 10
      // Behind the cursor and ahead of it; never the ones that stay.
      await database.execute(sql`delete from events where id % 3 = 0 and random() < 0.2`)
    }
    for (const list of [newestFirst, cheapestFirst]) {
      const stay = await database.many(sql`select id from events where id % 3 <> 0`, toId)
      const seen = await readAll(list, 9, churn)

      expect(new Set(seen).size).toBe(seen.length)
      expect(new Set(seen.filter((id) => stay.includes(id)))).toEqual(new Set(stay))
    }
  })

  test('when the session writes dates and times in ways of its own, cursors stay the same', async () => {
    const { nextCursor } = await pageOf(newestFirst, undefined, 5)
    const url = new URL(server.url)
    url.searchParams.set('options', '-c datestyle=sql,dmy -c timezone=Europe/Dublin -c intervalstyle=iso_8601')
    const elsewhere = createDatabase({ url: url.href })
    try {
      const page = await newestFirst.page(elsewhere, { cursor: nextCursor ?? '', limit: 5 }, eventsOf, toId)
      const own = await pageOf(newestFirst, nextCursor ?? '', 5)
      expect(page.items).toEqual(own.items)
      expect((await pageOf(newestFirst, page.nextCursor ?? '', 5)).items).toEqual(
        (await pageOf(newestFirst, own.nextCursor ?? '', 5)).items,
      )
    } finally {
      await elsewhere.close()
    }
  })

  test('when the last page is full, there is no next one', async () => {
    expect((await pageOf(newestFirst, undefined, 200)).nextCursor).toBeNull()
    expect((await pageOf(newestFirst, undefined, 199)).nextCursor).toMatch(/^[\w-]{20,120}$/)
  })

  test('when rows have a schema, it does not see the key', async () => {
    const Event = z.strictObject({ id: z.int() })
    const { items } = await newestFirst.page(database, { limit: 2 }, eventsOf, Event)

    expect(items).toEqual([{ id: expect.any(Number) }, { id: expect.any(Number) }])
  })
})

describe('given a long list', () => {
  beforeEach(async () => {
    await database.execute(sql`
      insert into events (id, created_at, price)
      select n, timestamptz '2026-01-01' + n * interval '1 second', n % 100 from generate_series(1, 20000) as n`)
    await database.execute(sql`vacuum analyze events`)
  })

  async function planOfPageAfter(list: Keyset, rows: number): Promise<string> {
    let cursor: string | undefined
    for (let left = rows; left > 0; left -= 1000) cursor = (await pageOf(list, cursor, 1000)).nextCursor ?? undefined
    let query = sql.empty
    await list.page(database, { cursor, limit: 20 }, (parts) => (query = eventsOf(parts)), toId)
    const plan = await database.query(sql`explain (analyze, costs off, timing off, summary off, buffers off) ${query}`)
    return plan.map((row) => row['QUERY PLAN']).join('\n')
  }

  test('when directions agree, a page in the middle begins in the index', async () => {
    const plan = await planOfPageAfter(newestFirst, 10_000)

    expect(plan).toMatch(/Index (Only )?Scan using events_newest/)
    expect(plan).toContain('Index Cond: (ROW(created_at, id) < ROW(')
    expect(plan).not.toMatch(/Filter|Sort|Seq Scan/)
  })

  test('when directions differ, the index bounds the scan and only ties are looked at', async () => {
    const plan = await planOfPageAfter(cheapestFirst, 10_000)

    expect(plan).toMatch(/Index (Only )?Scan using events_cheapest/)
    expect(plan).toContain('Index Cond: (price >= ')
    expect(plan).not.toMatch(/Sort|Seq Scan/)
    // 200 rows have one price.
    expect(Number(/Rows Removed by Filter: (\d+)/.exec(plan)?.[1] ?? 0)).toBeLessThanOrEqual(200)
  })
})

describe('given columns of every type', () => {
  const byType: readonly [type: KeyColumn['type'], array: SqlQuery, literals: readonly string[]][] = [
    ['bigint', sql`bigint[]`, ['-9223372036854775808', '-1', '0', '9007199254740993', '9223372036854775807']],
    ['boolean', sql`boolean[]`, ['false', 'true']],
    [
      'date',
      sql`date[]`,
      ['-infinity', '0001-01-01', '1900-02-28', '2024-02-29', '9999-12-31', '12345-01-01', 'infinity'],
    ],
    ['integer', sql`integer[]`, ['-2147483648', '0', '2147483647']],
    ['numeric', sql`numeric[]`, ['-12345678901234567890.123456789', '-0.5', '0', '1.10', '99999999999999999999999999']],
    ['smallint', sql`smallint[]`, ['-32768', '0', '32767']],
    ['text', sql`text[]`, ['', ' ', `'; drop table events; --`, 'A', 'a', 'ä', '😀', '\\x', '{1,NULL}']],
    [
      'timestamp',
      sql`timestamp[]`,
      ['-infinity', '0001-01-01 00:00', '2026-01-31 23:59:59.123456', '12345-06-07 08:09', 'infinity'],
    ],
    [
      'timestamptz',
      sql`timestamptz[]`,
      ['1880-01-01 00:00+00', '2026-01-31 23:59:59.123456+00', '2026-01-31 23:59:59.123457+00', 'infinity'],
    ],
    ['uuid', sql`uuid[]`, ['00000000-0000-0000-0000-000000000000', '0198a3a1-0000-7000-8000-00000000000a']],
  ]

  test.each(byType)('when the order is by %s, pages of one row reach every row', async (type, array, literals) => {
    for (const direction of ['asc', 'desc'] as const) {
      const typed = sql`${literals}::text[]::${array}`
      const list = keyset({ list: type, by: [{ column: 'v', type, direction }] })
      const inOrder = await database.many(
        sql`select v::text as value from unnest(${typed}) as v order by v ${direction === 'asc' ? sql`asc` : sql`desc`}`,
        ({ value }: { readonly value: string }) => value,
      )
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await list.page(
          database,
          { cursor, limit: 1 },
          ({ key, isAfter, order, count }) =>
            sql`select v::text as value, ${key} from unnest(${typed}) as v where ${isAfter} order by ${order} limit ${count}`,
          ({ value }: { readonly value: string }) => value,
        )
        seen.push(...page.items)
        cursor = page.nextCursor ?? undefined
      } while (cursor !== undefined)
      expect(seen).toEqual(inOrder)
      expect(seen).toHaveLength(literals.length)
    }
  })
})

describe('given a cursor that a stranger wrote', () => {
  const everything = keyset({
    list: 'everything',
    by: [
      { column: sql`null::bigint`, type: 'bigint' },
      { column: sql`null::boolean`, type: 'boolean', direction: 'desc' },
      { column: sql`null::date`, type: 'date' },
      { column: sql`null::integer`, type: 'integer' },
      { column: sql`null::numeric`, type: 'numeric', direction: 'desc' },
      { column: sql`null::smallint`, type: 'smallint' },
      { column: sql`null::text`, type: 'text' },
      { column: sql`null::timestamp`, type: 'timestamp' },
      { column: sql`null::timestamptz`, type: 'timestamptz', direction: 'desc' },
      { column: sql`null::uuid`, type: 'uuid' },
    ],
  })
  const good = [
    '1',
    'true',
    '2026-01-31',
    '1',
    '1.5',
    '1',
    'a',
    '2026-01-31T00:00:00',
    '2026-01-31T00:00:00+00:00',
    '0198a3a1-0000-7000-8000-00000000000a',
  ]
  // Written by the list itself, and then taken apart by the stranger.
  let fingerprint: string
  const forge = (key: readonly unknown[]): string =>
    Buffer.from(JSON.stringify([1, fingerprint, ...key])).toString('base64url')
  const select = (parts: PageParts): SqlQuery =>
    sql`select 1 as id, ${sql.empty}array[]::text[] as page_key where ${parts.isAfter} limit ${parts.count}`
  const send = (cursor: string) => everything.page(database, { cursor, limit: 1 }, select, toId)

  beforeAll(async () => {
    const rows = [{ page_key: good }, { page_key: good }]
    const twoRows = { query: async () => rows } as unknown as Database
    const { nextCursor } = await everything.page(twoRows, { limit: 1 }, select, (row) => row)
    fingerprint = (JSON.parse(Buffer.from(nextCursor ?? '', 'base64url').toString()) as string[])[1] ?? ''
  })

  test('when it is well written, it is a place in the list', async () => {
    await expect(send(forge(good))).resolves.toEqual({ items: [], nextCursor: null })
  })

  test.each([
    ['too few texts', good.slice(1)],
    ['too many texts', [...good, '1']],
    ['no texts', []],
    ['a number', good.with(0, 1 as never)],
    ['null', good.with(6, null as never)],
    ['an integer that is too big', good.with(0, '9223372036854775808')],
    ['an integer in another form', good.with(3, '1e3')],
    ['a smallint that is too big', good.with(5, '32768')],
    ['a day that is on no calendar', good.with(2, '2025-02-29')],
    ['a month that is on no calendar', good.with(7, '2025-13-01T00:00:00')],
    ['the 24th hour', good.with(7, '2025-12-01T24:00:00')],
    ['the year 0', good.with(2, '0000-01-01')],
    ['a year beyond all', good.with(8, '999999-01-01T00:00:00+00:00')],
    ['an offset beyond all', good.with(8, '2026-01-31T00:00:00+99:00')],
    ['a word for a moment', good.with(8, 'now')],
    ['NaN', good.with(4, 'NaN')],
    ['a NUL', good.with(6, 'a\0')],
    ['half a letter', good.with(6, '\ud800')],
    ['SQL', good.with(9, `' or true --`)],
    ['a uuid in capitals', good.with(9, '0198A3A1-0000-7000-8000-00000000000A')],
  ])('when it holds %s, it is refused as the mistake of a caller', async (_, key) => {
    await expect(send(forge(key))).rejects.toMatchObject({ kind: 'invalid', code: 'request.cursor_invalid' })
  })

  test('when it is of a list with the same name and another order, it is refused', async () => {
    await insertEvents(1, 10)
    const { nextCursor } = await pageOf(newestFirst, undefined, 5)

    const oldestFirst = keyset({
      list: 'events',
      by: [
        { column: 'created_at', type: 'timestamptz' },
        { column: 'id', type: 'integer' },
      ],
    })

    for (const other of [cheapestFirst, oldestFirst]) {
      await expect(pageOf(other, nextCursor ?? '', 5)).rejects.toThrow(ValidationError)
    }
  })

  test('when it holds anything at all, PostgreSQL finds no fault in what is let through', async () => {
    const digits = fc.stringMatching(/^[+-]?\d{1,25}(\.\d{0,8})?(e\d)?$/)
    const moment = fc.stringMatching(
      /^\d{4,6}-[0-3]\d-[0-3]\d(T[0-2]\d:[0-6]\d:[0-6]\d(\.\d{1,7})?([+-][0-2]\d:[0-6]\d(:[0-6]\d)?)?)?$/,
    )
    const word = fc.oneof(
      fc.string({ unit: 'binary' }),
      digits,
      moment,
      fc.uuid(),
      fc.constantFrom(...good, 'infinity', 't'),
    )
    const key = fc.tuple(fc.nat(9), word).map(([at, text]) => good.with(at, text))
    let passed = 0
    await fc.assert(
      fc.asyncProperty(key, async (texts) => {
        try {
          await send(forge(texts))
          passed += 1
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== 'request.cursor_invalid') throw error
        }
      }),
      { numRuns: 2000 },
    )
    expect(passed).toBeGreaterThan(20)
  })
})

describe('given a query or an order that is wrong', () => {
  beforeEach(async () => {
    await insertEvents(1, 10)
  })

  test('when the query leaves a part away, it says which', async () => {
    const withoutKey = ({ count }: PageParts) => sql`select id from events limit ${count}`
    const withoutLimit = ({ key }: PageParts) => sql`select id, ${key} from events`

    await expect(newestFirst.page(database, { limit: 3 }, withoutKey, toId)).rejects.toThrow('selects ${key}')
    await expect(newestFirst.page(database, { limit: 3 }, withoutLimit, toId)).rejects.toThrow('limit ${count}')
  })

  test('when a column may be NULL, rows with it would be lost: it says so', async () => {
    const byNothing = keyset({ list: 'x', by: [{ column: sql`nullif(id, id)`, type: 'integer' }] })

    await expect(pageOf(byNothing, undefined, 3)).rejects.toThrow('ordered by nullif(id, id), which is NULL')
  })

  test.each([0, 1001, 1.5, Number.NaN, '20'])('when the limit is %s, it is refused', async (limit) => {
    await expect(pageOf(newestFirst, undefined, limit as number)).rejects.toThrow(RangeError)
  })

  test.each([
    ['no name', { list: '', by: [{ column: 'id', type: 'integer' }] }, 'name of a list'],
    ['no columns', { list: 'x', by: [] }, 'at least one column'],
    ['an odd name', { list: 'x', by: [{ column: 'id" --', type: 'integer' }] }, 'letters, digits and _'],
    ['an unknown type', { list: 'x', by: [{ column: 'id', type: 'jsonb' }] }, 'received "jsonb"'],
    ['an unknown direction', { list: 'x', by: [{ column: 'id', type: 'uuid', direction: 'up' }] }, 'asc or desc'],
  ])('when it has %s, it is refused at once', (_, options, message) => {
    expect(() => keyset(options as never)).toThrow(TypeError)
    expect(() => keyset(options as never)).toThrow(message)
  })
})
