import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findHostileMember, mayBeHostile } from './hostile-json.ts'

describe('given JSON that parsed', () => {
  test.each([
    ['{"__proto__":1}', ['body', '__proto__'], 'forbidden_key'],
    ['{"a":[{"constructor":{}}]}', ['body', 'a', 0, 'constructor'], 'forbidden_key'],
    ['{"\\u005f_proto__":1}', ['body', '__proto__'], 'forbidden_key'],
    ['{"a":"\\u0000"}', ['body', 'a'], 'unsafe_text'],
    ['{"\\ud800":1}', ['body'], 'unsafe_text'],
    ['["\\udc00"]', ['body', 0], 'unsafe_text'],
  ])('when it is %s, the member is found', (text, path, code) => {
    expect(mayBeHostile(text, 32)).toBe(true)
    expect(findHostileMember(JSON.parse(text), 32)).toMatchObject({ path, code })
  })

  test.each(['{"a":"constructor"}', '{"a":"\\u00e9"}', '{"a":"\\ud83d\\ude00"}', '[]', 'null'])(
    'when it is %s, nothing is found',
    (text) => {
      expect(findHostileMember(JSON.parse(text), 32)).toBeUndefined()
    },
  )

  test.each([
    [3, '[[[]]]', undefined],
    [3, '[[[[]]]]', 'too_deep'],
    [1, '{}', undefined],
    [1, '{"a":{}}', 'too_deep'],
  ])('when %i levels are allowed and it is %s, the verdict is %s', (depth, text, code) => {
    expect(findHostileMember(JSON.parse(text), depth)?.code).toBe(code)
    if (code !== undefined) expect(mayBeHostile(text, depth)).toBe(true)
  })

  test('when it is nested 100 000 levels deep, the stack holds', () => {
    const text = '['.repeat(100_000) + ']'.repeat(100_000)
    expect(findHostileMember(JSON.parse(text), 32)?.code).toBe('too_deep')
  })

  test('when the cheap scan lets a text pass, the walk finds nothing in it', () => {
    const anything = fc.jsonValue({ maxDepth: 6 })
    fc.assert(
      fc.property(anything, (value) => {
        const text = JSON.stringify(value)
        if (!mayBeHostile(text, 4)) expect(findHostileMember(JSON.parse(text), 4)).toBeUndefined()
      }),
      { numRuns: 2000 },
    )
  })
})
