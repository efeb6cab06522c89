import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sql } from './sql.ts'

const allowed = { name: sql`lower(name)`, price: sql`price_cents`, near: sql`abs(lat - ${1.5})` }

describe('given an order that somebody asks for', () => {
  test('when its name is allowed, the fragment of that name is what is sorted by', () => {
    expect(sql.order({ by: 'name' }, allowed).text).toBe('lower(name) asc')
    expect(sql.order({ by: 'price', direction: 'desc' }, allowed).text).toBe('price_cents desc')
  })

  test('when there are several, the first counts most and values keep their place', () => {
    const asked = [{ by: 'near' }, { by: 'price', direction: 'desc' }] as const
    const query = sql`select 1 from shops where city = ${'Bonn'} order by ${sql.order(asked, allowed)}, id`

    expect(query.text).toBe('select 1 from shops where city = $1 order by abs(lat - $2) asc, price_cents desc, id')
    expect(query.values).toEqual(['Bonn', 1.5])
  })

  test.each(['Price', 'price ', '1', '', '__proto__', 'constructor', 'toString', `price; drop table shops`])(
    'when the name is %j, it is refused and the allowed ones are shown',
    (by) => {
      expect(() => sql.order({ by }, allowed)).toThrow(/allows name, price, near; received/)
    },
  )

  test.each(['ASC', 'desc nulls last', '', 'desc; drop table shops', null, 1, { toString: () => 'asc' }])(
    'when the direction is %j, it is refused',
    (direction) => {
      expect(() => sql.order({ by: 'name', direction: direction as never }, allowed)).toThrow('asc or desc')
    },
  )

  test('when a name comes twice or there is none, it is refused', () => {
    expect(() => sql.order([{ by: 'name' }, { by: 'name', direction: 'desc' }], allowed)).toThrow('twice')
    expect(() => sql.order([], allowed)).toThrow('at least one')
  })

  test('when what is allowed is text instead of SQL, it is refused', () => {
    // @ts-expect-error names stand for fragments
    expect(() => sql.order({ by: 'name' }, { name: 'name' })).toThrow('fragments of sql only')
  })

  test('when anything at all is asked for, the text is one of those written in code', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom('name', 'price'), fc.string()), fc.anything(), (by, direction) => {
        try {
          const { text } = sql.order({ by, direction: direction as never }, allowed)
          expect(text).toMatch(/^(lower\(name\)|price_cents|abs\(lat - \$1\)) (asc|desc)$/)
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
        }
      }),
    )
  })
})
