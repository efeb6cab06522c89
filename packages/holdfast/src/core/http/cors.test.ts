import { describe, expect, test } from 'vitest'
import { compileCors } from './cors.ts'

const toRecord = (flat: readonly string[]): Record<string, string> =>
  Object.fromEntries(flat.flatMap((key, at) => (at % 2 === 0 ? [[key, flat[at + 1] as string]] : [])))

describe('given a list of origins', () => {
  const cors = compileCors({ origins: ['https://app.example.com', 'http://localhost:5173', 'https://*.pages.example'] })

  test.each([
    'https://app.example.com',
    'http://localhost:5173',
    'https://a.pages.example',
    'https://a.b.pages.example',
    'https://xn--bcher-kva.pages.example',
  ])('when %s asks, it is granted by name', (origin) => {
    expect(toRecord(cors.grant(origin))).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'location, ratelimit, ratelimit-policy, retry-after, x-request-id',
    })
  })

  test.each([
    'null',
    '',
    'https://app.example.com.evil.example',
    'https://evil-app.example.com',
    'https://app.example.com:8443',
    'http://app.example.com',
    'https://APP.example.com',
    'https://app.example.com/',
    'https://app.example.com, https://evil.example',
    'https://pages.example',
    'https://.pages.example',
    'https://evil.example#.pages.example',
    'https://evil.example/.pages.example',
    'https://evil.example?.pages.example',
    'https://user@a.pages.example',
    'https://evil.example\\.pages.example',
    'https://a.pages.example:444',
    'https://a.pages.example.',
    'https://-a.pages.example',
    'http://a.pages.example',
    'https://evilpages.example',
    'https://*.pages.example',
    `https://${'a.'.repeat(2000)}pages.example`,
  ])('when %s asks, it gets nothing but the word that replies differ', (origin) => {
    expect(cors.grant(origin)).toEqual(['vary', 'Origin'])
    expect(cors.preflight(origin, 'GET')).toEqual([])
  })

  test('when nobody says an origin, replies still say that they differ by it', () => {
    expect(cors.grant(undefined)).toEqual(['vary', 'Origin'])
  })

  test('when one asks before it sends, it learns methods, headers and for how long', () => {
    expect(toRecord(cors.preflight('https://app.example.com', 'GET, HEAD, OPTIONS'))).toEqual({
      'access-control-allow-methods': 'GET, HEAD, OPTIONS',
      'access-control-allow-headers': 'authorization, content-type, idempotency-key, traceparent',
      'access-control-max-age': '600',
    })
  })
})

describe('given credentials that are declared', () => {
  const cors = compileCors({ origins: ['https://app.example.com'], credentials: true, exposedHeaders: ['ETag'] })

  test('when a listed origin asks, they are granted to it and to nobody else', () => {
    expect(toRecord(cors.grant('https://app.example.com'))).toMatchObject({
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'location, ratelimit, ratelimit-policy, retry-after, x-request-id, etag',
    })
    expect(cors.grant('https://evil.example')).toEqual(['vary', 'Origin'])
  })
})

describe('given everybody', () => {
  test('when anybody asks, the grant names no origin', () => {
    const cors = compileCors({ origins: '*' })
    expect(toRecord(cors.grant('https://any.example'))).toMatchObject({ 'access-control-allow-origin': '*' })
    expect(cors.grant(undefined)).toEqual([])
  })
})

describe('given options that would open more than they say', () => {
  test.each([
    [{ origins: '*', credentials: true }, /\* with credentials|`\*` with credentials/],
    [{ origins: ['*'] }, /stands alone/],
    [{ origins: ['null'] }, /sandboxed/],
    [{ origins: [] }, /names none/],
    [{ origins: ['app.example.com'] }, /is no origin/],
    [{ origins: ['https://app.example.com/'] }, /is no origin/],
    [{ origins: ['https://App.example.com'] }, /is no origin/],
    [{ origins: ['https://app.example.com:443'] }, /is no origin/],
    [{ origins: ['https://*'] }, /is no origin/],
    [{ origins: ['https://*.com'] }, /is no origin/],
    [{ origins: ['https://*.*.example.com'] }, /is no origin/],
    [{ origins: ['https://app.*.example.com'] }, /is no origin/],
    [{ origins: ['https://example.com*'] }, /is no origin/],
    [{ origins: ['ftp://example.com'] }, /is no origin/],
    [{ origins: ['https://a.example'], allowedHeaders: ['*'] }, /no header name/],
    [{ origins: ['https://a.example'], exposedHeaders: ['a\r\nb'] }, /no header name/],
    [{ origins: ['https://a.example'], maxAgeSeconds: Number.NaN }, /maxAgeSeconds is NaN/],
    [{ origins: ['https://a.example'], maxAgeSeconds: 86_401 }, /maxAgeSeconds is 86401/],
  ] as const)('when they are %j, nothing starts', (options, message) => {
    expect(() => compileCors(options)).toThrow(message)
  })
})
