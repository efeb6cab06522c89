import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sql } from './sql.ts'

const columns = { name: 'name', priceCents: 'price_cents' } as const

describe('given a change that somebody asks for', () => {
  test('when it has some of the listed members, these are set and values stay apart', () => {
    const change = { priceCents: 5, version: 3 }
    const query = sql`update products set ${sql.changes(change, columns)}, version = version + 1 where id = ${7}`

    expect(query.text).toBe('update products set "price_cents" = $1, version = version + 1 where id = $2')
    expect(query.values).toEqual([5, 7])
  })

  test('when a member is undefined it is left out, when it is null it is set to NULL', () => {
    const query = sql.changes({ name: null, priceCents: undefined }, columns)

    expect(query.text).toBe('"name" = $1')
    expect(query.values).toEqual([null])
  })

  test('when a member is SQL written in code, it becomes part of the text', () => {
    expect(sql.changes({ name: 'n', priceCents: sql`price_cents + ${1}` }, columns).text).toBe(
      '"name" = $1, "price_cents" = price_cents + $2',
    )
  })

  test('when nothing is left to set, it says what a change has', () => {
    expect(() => sql.changes({}, columns)).toThrow('nothing to set; a change has one of name, priceCents')
    expect(() => sql.changes({ name: undefined }, columns)).toThrow(TypeError)
  })

  test('when a member is inherited, it is not set', () => {
    const polluted = Object.prototype as { name?: string }
    polluted.name = 'mallory'
    try {
      expect(sql.changes({ priceCents: 1 }, columns).text).toBe('"price_cents" = $1')
    } finally {
      delete polluted.name
    }
    expect(() => sql.changes(JSON.parse('{"__proto__":{"name":"mallory"}}') as object, columns)).toThrow(
      'nothing to set',
    )
    expect(() => sql.changes(Object.create({ name: 'mallory' }) as object, columns)).toThrow('plain object')
  })

  test.each([[null], [undefined], ['name'], [['name']], [new Date()], [Object.create({ name: 1 })]])(
    'when it is %j and no plain object, it is refused',
    (change) => {
      expect(() => sql.changes(change as never, columns)).toThrow('plain object')
    },
  )

  test('when a value has no place in a query, it is refused as everywhere', () => {
    expect(() => sql.changes({ name: { toPostgres: () => 'now()' } as never }, columns)).toThrow('sql.json')
  })

  test('when columns come from somewhere else, it does not compile and odd names are refused', () => {
    const fromSomewhere: Record<string, string> = { name: 'name" = 1 --' }
    // @ts-expect-error the columns are not known in code
    expect(() => sql.changes({ name: 1 }, fromSomewhere)).toThrow('letters, digits and _')
  })

  test('when anything at all is sent, no name and no value of it gets into the text', () => {
    const member = fc.oneof(fc.constantFrom('name', 'priceCents', '__proto__', 'constructor'), fc.string())
    const change = fc.dictionary(member, fc.oneof(fc.string(), fc.integer(), fc.constant(null)))
    fc.assert(
      fc.property(change, (sent) => {
        const expected = Object.keys(columns).filter((key) => Object.hasOwn(sent, key))
        if (expected.length === 0) {
          expect(() => sql.changes(sent, columns)).toThrow('nothing to set')
          return
        }
        const query = sql.changes(sent, columns)
        expect(query.text).toMatch(/^("name" = \$1)?(, )?("price_cents" = \$[12])?$/)
        expect(query.values).toEqual(expected.map((key) => sent[key]))
      }),
    )
  })
})
