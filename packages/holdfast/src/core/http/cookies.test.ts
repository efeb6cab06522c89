import { describe, expect, test } from 'vitest'
import { parseCookies } from './cookies.ts'

describe('given a Cookie header', () => {
  test.each([
    [undefined, {}],
    ['', {}],
    ['a=1', { a: '1' }],
    ['a=1; b=2;c=3', { a: '1', b: '2', c: '3' }],
    ['a="1"', { a: '1' }],
    ['a=b=c', { a: 'b=c' }],
    ['a', {}],
    ['=1', { '': '1' }],
    ['\ta = 1 ', { a: '1' }],
    ['\xa0__Host-refresh=planted', { '\xa0__Host-refresh': 'planted' }],
    ['\x0b__Host-refresh=planted', { '\x0b__Host-refresh': 'planted' }],
    ['a=\xa01', { a: '\xa01' }],
    ['a=%41', { a: '%41' }],
  ])('when it is %j, its cookies are %j', (header, cookies) => {
    expect(parseCookies(header)).toEqual(cookies)
  })

  test('when a name came twice, neither is believed', () => {
    expect(parseCookies('__Host-refresh=planted; a=1; __Host-refresh=mine; __Host-refresh=third')).toEqual({ a: '1' })
  })

  test('when a name is that of a prototype, nothing but a member comes of it', () => {
    const cookies = parseCookies('__proto__=x; constructor=y')
    expect(Object.getPrototypeOf(cookies)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
    expect(cookies['constructor']).toBe('y')
  })
})
