import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sql } from './sql.ts'

const types = { order_id: 'uuid', sku: 'text', quantity: 'integer' } as const
const line = (sku: string) => ({ order_id: '0198a3a1-0000-7000-8000-000000000000', sku, quantity: 1 })

describe('given rows that go to the server at once', () => {
  test('when there are several, each column travels as one array', () => {
    const query = sql`insert into lines select * from ${sql.records([line('a'), line('b')], types)} as line`

    expect(query.text).toBe(
      'insert into lines select * from (select * from unnest($1::uuid[], $2::text[], $3::integer[])' +
        ' as record ("order_id", "sku", "quantity")) as line',
    )
    expect(query.values).toEqual([
      [line('a').order_id, line('a').order_id],
      ['a', 'b'],
      [1, 1],
    ])
  })

  test('when their number differs, they stay one statement', () => {
    const nameOf = (count: number) =>
      sql.records(
        Array.from({ length: count }, () => line('a')),
        types,
      ).name

    expect(new Set([0, 1, 2, 1000].map(nameOf)).size).toBe(1)
  })

  test('when a row holds more than is listed, the rest is left out', () => {
    const rows = [{ ...line('a'), price: 1, isAdmin: true }]

    expect(sql.records(rows, types).values).toEqual([[line('a').order_id], ['a'], [1]])
  })

  test.each([
    ['a missing member', { order_id: null, quantity: 1 }, 'sku of row 1 is missing; write null'],
    ['undefined', { ...line('a'), sku: undefined }, 'sku of row 1 is missing'],
    [
      'an inherited member',
      Object.assign(Object.create({ sku: 'a' }), { order_id: null, quantity: 1 }),
      'sku of row 1',
    ],
    ['a list', { ...line('a'), sku: ['a'] }, 'is a list, which PostgreSQL would take apart'],
    ['a plain object', { ...line('a'), sku: {} }, 'sql.json'],
    ['json in a text column', { ...line('a'), sku: sql.json('a') }, 'goes into a text column'],
    ['a fragment', { ...line('a'), sku: sql`now()` }, 'plain object'],
    ['nothing', undefined, 'order_id of row 1 is missing'],
  ])('when a row holds %s, it is refused and named', (_, row, message) => {
    expect(() => sql.records([line('a'), row as never], types)).toThrow(TypeError)
    expect(() => sql.records([line('a'), row as never], types)).toThrow(message)
  })

  test('when a json column gets what sql.json did not make, it is refused', () => {
    expect(() => sql.records([{ detail: '{}' }], { detail: 'jsonb' })).toThrow('make it with sql.json(value)')
    expect(sql.records([{ detail: sql.json({ a: [1] }) }, { detail: null }], { detail: 'jsonb' }).values).toEqual([
      ['{"a":[1]}', null],
    ])
  })

  test('when a type is unknown, it does not compile and is refused', () => {
    // @ts-expect-error not a type that is known
    expect(() => sql.records([], { id: 'int); drop table lines; --' })).toThrow('knows the types bigint, boolean')
    // @ts-expect-error not even one of Object's own names
    expect(() => sql.records([], { id: 'constructor' })).toThrow('received "constructor"')
    expect(() => sql.records([], {})).toThrow('at least one column')
  })

  test('when a column has an odd name, it is refused', () => {
    expect(() => sql.records([], { 'id" --': 'text' })).toThrow('letters, digits and _')
  })

  test('when there are too many, it says so', () => {
    const rows = Array.from({ length: 10_001 }, () => line('a'))

    expect(() => sql.records(rows, types)).toThrow(RangeError)
    expect(sql.records(rows.slice(1), types).values[0]).toHaveLength(10_000)
  })

  test('when rows hold anything at all, the text stays what the types make of it', () => {
    const { text } = sql.records([], types)
    fc.assert(
      fc.property(
        fc.array(fc.record({ order_id: fc.anything(), sku: fc.anything(), quantity: fc.anything() })),
        (rows) => {
          try {
            expect(sql.records(rows as never, types).text).toBe(text)
          } catch (error) {
            expect(error).toBeInstanceOf(TypeError)
          }
        },
      ),
    )
  })
})
