import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ValidationError } from '../../foundation/errors.ts'
import { maxCursorLength, parseCursor, toCursor } from './cursor.ts'

const inBase64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('given the cursor of a list', () => {
  test('when it comes back, it holds the key it was made of', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 50 }), { maxLength: 4 }), (key) => {
        const cursor = toCursor('products', key)
        expect(cursor).toMatch(/^[\w-]+$/)
        expect(parseCursor('products', cursor)).toEqual(key)
      }),
    )
  })

  test('when it is sent for another list, it is refused', () => {
    expect(() => parseCursor('orders', toCursor('products', ['1']))).toThrow(ValidationError)
  })

  test('when its key is too long, it is not made', () => {
    expect(() => toCursor('products', ['x'.repeat(4000)])).toThrow(RangeError)
    expect(toCursor('products', ['\u0001'.repeat(500)]).length).toBeLessThanOrEqual(maxCursorLength)
  })
})

describe('given what is no cursor', () => {
  test.each([
    '',
    ' ',
    '=',
    'null',
    'e30',
    'Ww',
    inBase64(null),
    inBase64([]),
    inBase64([2, 'products', '1']),
    inBase64(['1', 'products', '1']),
    inBase64([1, 'products', 1]),
    inBase64([1, 'products', ['1']]),
    inBase64([1, 'products', null]),
    inBase64([1, 'products', { toString: '1' }]),
    inBase64({ 0: 1, 1: 'products', length: 2 }),
    `${toCursor('products', ['1'])}=`,
    `${toCursor('products', ['1'])}\n`,
    inBase64([1, 'products', 'x'.repeat(5000)]),
    undefined,
    ['W10'],
  ])('when it is %j, it is refused with its code', (cursor) => {
    expect(() => parseCursor('products', cursor as string)).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'request.cursor_invalid' }),
    )
  })

  test('when it is any text, the answer is a key or a refusal', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.jsonValue().map(inBase64)), (cursor) => {
        expect(() => parseCursor('products', cursor)).toThrow(ValidationError)
      }),
    )
  })
})
