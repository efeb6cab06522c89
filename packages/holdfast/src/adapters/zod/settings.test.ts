import { describe, expect, test } from 'vitest'
import { networks, wholeNumber } from './settings.ts'

describe('given a setting that is a whole number', () => {
  test.each([
    ['0', 0],
    ['65535', 65_535],
    ['007', 7],
  ])('when it is %j, it is %i', (text, expected) => {
    expect(wholeNumber(0, 65_535).parse(text)).toBe(expected)
  })

  test.each(['', ' ', '0x50', '1e3', '-1', '1.5', '65536', 'eighty', '8 0', '9'.repeat(400)])(
    'when it is %j, it is refused without being shown',
    (text) => {
      const { error } = wholeNumber(0, 65_535).safeParse(text)
      expect(error?.issues.map(({ message }) => message)).toEqual([
        'the value has to be a whole number from 0 to 65535, in digits',
      ])
    },
  )

  test('when its bounds are swapped, it is refused at once', () => {
    expect(() => wholeNumber(2, 1)).toThrow(RangeError)
  })
})

describe('given a setting that lists networks', () => {
  test('when all of them are, it is a list', () => {
    expect(networks().parse('10.0.0.0/8, 2001:db8::/32,192.0.2.7')).toEqual([
      '10.0.0.0/8',
      '2001:db8::/32',
      '192.0.2.7',
    ])
  })

  test.each(['', ' ', '10.0.0.0/8,', '10.0.0.0/8,bad', '10.0.0.0/33', '0.0.0.0/0', '::/0'])(
    'when it is %j, it is refused',
    (text) => {
      expect(networks().safeParse(text).success).toBe(false)
    },
  )
})
