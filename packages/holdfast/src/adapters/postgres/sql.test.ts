import { describe, expect, test } from 'vitest'
import { sql } from './sql.ts'
import type { SqlQuery } from './sql.ts'

const hostile = `x'; drop table products; --`

describe('given a template without fragments', () => {
  test('when it holds values, they travel beside the text', () => {
    const query = sql`select id from products where sku = ${hostile} and price > ${10n}`

    expect(query.text).toBe('select id from products where sku = $1 and price > $2')
    expect(query.values).toEqual([hostile, 10n])
  })

  test('when the same place runs again, it has the same name', () => {
    const at = (id: number): SqlQuery => sql`select ${id}::int`

    expect(at(1).name).toMatch(/^hf_[\w-]{16}$/)
    expect(at(1).name).toBe(at(2).name)
    expect(at(1).name).not.toBe(sql`select ${1}::text`.name)
  })

  test('when somebody tries to change it, it stays as it was', () => {
    const query = sql`select ${['a']}`

    expect(() => Object.assign(query, { text: 'drop table products' })).toThrow(TypeError)
    expect(() => (query.values as unknown[]).push(1)).toThrow(TypeError)
    expect(() => (query.values[0] as unknown[]).push('b')).toThrow(TypeError)
  })

  test('when a value is a date, it is written in UTC', () => {
    expect(sql`select ${new Date(0)}`.values).toEqual(['1970-01-01T00:00:00.000Z'])
  })
})

describe('given nested fragments', () => {
  test('when they hold values, these are numbered in the order of the whole', () => {
    const isCheap = sql`price < ${5}`
    const query = sql`select ${'a'}::text where ${sql`${isCheap} and not ${sql.empty}${isCheap}`} limit ${9}`

    expect(query.text).toBe('select $1::text where price < $2 and not price < $3 limit $4')
    expect(query.values).toEqual(['a', 5, 5, 9])
  })

  test('when a fragment comes first and last, nothing is lost around it', () => {
    expect(sql`${sql`a = ${1}`} or ${sql`b = ${2}`}`.text).toBe('a = $1 or b = $2')
  })

  test('when fragments are joined, the separator stands between them', () => {
    const conditions = [sql`a = ${1}`, sql`b = ${2}`, sql`c = ${3}`]
    const query = sql`where ${sql.join(conditions, sql` and `)}`

    expect(query.text).toBe('where a = $1 and b = $2 and c = $3')
    expect(query.values).toEqual([1, 2, 3])
    expect(sql.join([sql`a`, sql`b`]).text).toBe('a, b')
  })

  test('when there is nothing to join, it says so', () => {
    expect(() => sql.join([])).toThrow('at least one fragment')
  })
})

describe('given names decided at run time', () => {
  test('when a name is allowed, it is quoted', () => {
    expect(sql.identifier('price', ['name', 'price']).text).toBe('"price"')
    expect(sql.identifier('odd"name', ['odd"name']).text).toBe('"odd""name"')
  })

  test.each([hostile, 'Price', 'price ', 'price"', '__proto__', 'constructor', ''])(
    'when the name is %j, it is refused',
    (name) => {
      expect(() => sql.identifier(name, ['name', 'price'])).toThrow(/allows name, price; received/)
    },
  )

  test('when a name is no text, it is refused', () => {
    expect(() => sql.identifier(['price'] as never, ['price'])).toThrow(TypeError)
    expect(() => sql.identifier({ toString: () => 'price' } as never, ['price'])).toThrow(TypeError)
  })

  test('when the list of allowed names is left out, it is refused', () => {
    // @ts-expect-error the second argument is mandatory
    expect(() => sql.identifier('price')).toThrow('allowed')
    expect(() => sql.identifier('price', [])).toThrow('allowed')
  })

  test('when columns are written in code, they are quoted and joined', () => {
    expect(sql.columns(['id', 'name']).text).toBe('"id", "name"')
    expect(sql.columns(['id', 'name'], 'p').text).toBe('"p"."id", "p"."name"')
  })

  test('when columns come from somewhere else, it does not compile and odd names are refused', () => {
    const fromSomewhere: string[] = [hostile]
    // @ts-expect-error the members of the list are not known in code
    expect(() => sql.columns(fromSomewhere)).toThrow('letters, digits and _')
    expect(() => sql.columns(['id'], 'p" --')).toThrow('letters, digits and _')
  })
})

describe('given what is no value of a query', () => {
  test.each([
    ['undefined', undefined, 'write null'],
    ['a plain object', { $gt: '' }, 'sql.json'],
    ['an object with a form of its own', { toPostgres: () => 'now()' }, 'sql.json'],
    ['a text object', Object('text'), 'sql.json'],
    ['a function', () => 'now()', 'function'],
    ['a symbol', Symbol('x'), 'symbol'],
    ['an invalid date', new Date('never'), 'valid'],
    ['a list with a hole', [1, undefined], 'write null'],
  ])('when it is %s, it is refused', (_, value, message) => {
    expect(() => sql`select ${value as never}`).toThrow(TypeError)
    expect(() => sql`select ${value as never}`).toThrow(message)
  })

  test('when json has no text, it is refused', () => {
    expect(() => sql.json(undefined)).toThrow(TypeError)
    expect(sql`select ${sql.json([1, { a: null }])}`.values).toEqual(['[1,{"a":null}]'])
  })

  test('when there are more values than the protocol can count, it is refused', () => {
    const items = Array.from({ length: 65_536 }, (_, index) => sql`${index}`)

    expect(() => sql.join(items)).toThrow(RangeError)
    expect(sql.join(items.slice(1)).values).toHaveLength(65_535)
  })
})

describe('given a caller who forges templates', () => {
  test.each([[['drop table products']], [hostile], [Object.assign([hostile], { raw: [hostile] })], [undefined]])(
    'when the tag is called with %j, it refuses',
    (texts) => {
      expect(() => sql(texts as never)).toThrow('template tag')
    },
  )

  test('when an object looks like a query, it is a value and refused as one', () => {
    const forged = JSON.parse('{"text":"drop table products","values":[],"name":"x"}') as never

    expect(() => sql`select ${forged}`).toThrow('plain object')
  })
})
