import { describe, expect, test } from 'vitest'
import { decodeSegments, parseQuery, splitTarget } from './target.ts'

const none: ReadonlySet<string> = new Set()

describe('given a request target', () => {
  test.each([
    ['/a?b', { path: '/a', search: 'b' }],
    ['/a?', { path: '/a', search: '' }],
    ['/a?b?c', { path: '/a', search: 'b?c' }],
    ['?b', { path: '/', search: 'b' }],
    ['http://host/a?b', { path: '/a', search: 'b' }],
    ['HTTPS://host:8/a', { path: '/a', search: '' }],
    ['http://host', { path: '/', search: '' }],
    ['http://host?b', { path: '/', search: 'b' }],
    ['//host/a', { path: '//host/a', search: '' }],
  ])('when %s is cut, it is %j', (target, expected) => {
    expect(splitTarget(target)).toEqual(expected)
  })
})

describe('given the path of a request', () => {
  test('when a segment holds an encoded slash, it stays one segment', () => {
    expect(decodeSegments('/a%2Fb/%C3%A9')).toEqual(['a/b', 'é'])
  })

  test.each(['/%', '/%zz', '/%ff', '/%c0%80', '/%00', '/é', '/a b'])('when it is %j, it is refused', (path) => {
    expect(() => decodeSegments(path)).toThrow('The path is not valid')
  })
})

describe('given a query', () => {
  test.each([
    ['a=1&b=2', { a: '1', b: '2' }],
    ['a=1&a=2&a=3', { a: ['1', '2', '3'] }],
    ['a', { a: '' }],
    ['a=', { a: '' }],
    ['a=b=c', { a: 'b=c' }],
    ['a=1+2%2B3', { a: '1 2+3' }],
    ['%61=%C3%A9', { a: 'é' }],
    ['&&', {}],
    ['toString=1', { toString: '1' }],
    ['a[b]=1', { 'a[b]': '1' }],
  ])('when it is %s, it reads %j', (search, expected) => {
    expect(parseQuery(search, none)).toEqual(expected)
  })

  test('when a schema wants a list, one value is a list of one', () => {
    expect(parseQuery('tag=a', new Set(['tag']))).toEqual({ tag: ['a'] })
  })

  test.each(['__proto__=1', 'constructor=1', '%5f%5fproto__=1', 'a=%00', 'prototype'])(
    'when it is %s, it is refused with an issue',
    (search) => {
      expect(() => parseQuery(search, none)).toThrow('The query is not acceptable')
    },
  )

  test.each(['a=%', 'a=%ff', 'a=é', 'a=%ED%A0%80'])('when it is %s, it is refused as malformed', (search) => {
    expect(() => parseQuery(search, none)).toThrow('The query is not valid')
  })
})
