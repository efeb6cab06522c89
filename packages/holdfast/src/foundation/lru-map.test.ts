import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LruMap } from './lru-map.ts'

describe('given a full map', () => {
  test('when another key comes, what was used longest ago makes room', () => {
    const map = new LruMap<string, number>(2)
    map.set('a', 1)
    map.set('b', 2)
    map.get('a')
    map.set('c', 3)

    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([1, undefined, 3])
    expect(map.size).toBe(2)
  })

  test('when it was cleared, it fills and makes room as before', () => {
    const map = new LruMap<number, number>(2)
    for (let key = 0; key < 5; key += 1) map.set(key, key)
    map.clear()
    for (let key = 0; key < 5; key += 1) map.set(key, key)

    expect([...Array(5).keys()].filter((key) => map.get(key) !== undefined)).toEqual([3, 4])
  })
})

test('given any uses, it holds what a list sorted by last use would hold', () => {
  const use = fc.record({ verb: fc.constantFrom('get', 'set', 'delete', 'clear'), key: fc.integer({ min: 0, max: 9 }) })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(use, { maxLength: 200 }), (size, uses) => {
      const map = new LruMap<number, number>(size)
      let list: number[] = []
      for (const [step, { verb, key }] of uses.entries()) {
        const isThere = list.includes(key)
        if (verb === 'get') expect(map.get(key) !== undefined).toBe(isThere)
        if (verb === 'set') map.set(key, step)
        if (verb === 'delete') map.delete(key)
        // Seldom, or nothing would ever be full.
        if (verb === 'clear' && key === 0) map.clear()
        if (verb === 'clear' && key === 0) list = []
        if (verb !== 'clear') list = list.filter((other) => other !== key)
        if (verb === 'set' || (verb === 'get' && isThere)) list = [...list, key].slice(-size)
        expect(map.size).toBe(list.length)
      }
      expect([...Array(10).keys()].filter((key) => map.get(key) !== undefined)).toEqual(list.toSorted((a, b) => a - b))
    }),
  )
})

test.each([0, 1.5, Number.NaN, -1, Infinity])('given a size of %s, it is refused', (size) => {
  expect(() => new LruMap(size)).toThrow(RangeError)
})
