import { describe, expect, test } from 'vitest'
import { UnauthorizedError } from '../../foundation/errors.ts'
import type { AccessClaims } from './access-token.ts'
import { bearer, bearerToken, firstOf, isJwtShaped } from './bearer.ts'
import type { Authenticate, Credentials, Principal } from './principal.ts'

const withHeader = (authorization: string | undefined): Credentials => ({ authorization, cookie: undefined })

describe('given an Authorization header', () => {
  test.each([
    ['Bearer abc', 'abc'],
    ['bearer abc', 'abc'],
    ['BEARER a.b.c', 'a.b.c'],
    ['Bearer hfk_a-b.c', 'hfk_a-b.c'],
    ['Bearer a+/~==', 'a+/~=='],
  ])('when it is %j, its token is read', (header, token) => {
    expect(bearerToken(withHeader(header))).toBe(token)
  })

  test('when there is none, there is no token', () => {
    expect(bearerToken(withHeader(undefined))).toBeUndefined()
  })

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'abc',
    'a.b.c',
    'Bearerabc',
    'Bearer  abc',
    'Bearer\tabc',
    'Bearer\u00a0abc',
    ' Bearer abc',
    'Bearer abc ',
    'Bearer abc\n',
    'Bearer a b',
    'Bearer a,b',
    'Bearer a, Bearer b',
    'Bearer abc;x=1',
    'Bearer "abc"',
    'Bearer =abc',
    'Bearer ab=c',
    'Bearer ==',
    'Bearer äbc',
    'Bearer Bearer abc',
    'Basic YTpi',
    'Token abc',
    'Bearer: abc',
  ])('when it is %j, it is refused, and the refusal holds nothing of it', (header) => {
    const refusal = refusalOf(() => bearerToken(withHeader(header)))
    expect(refusal).toBeInstanceOf(UnauthorizedError)
    expect(refusal.code).toBe('auth.malformed')
    expect(refusal.message).not.toContain('abc')
    expect(refusal.stack).not.toContain('\n    at ')
  })

  test.each([
    ['a.b.c', true],
    ['', false],
    ['a', false],
    ['hfk_a.b', false],
    ['a.b.c.d', false],
    ['a.b.c.d.e', false],
    ['..', true],
  ])('when its token is %j, having the shape of a JWT is %s', (token, isShaped) => {
    expect(isJwtShaped(token)).toBe(isShaped)
  })
})

describe('given access tokens without sessions', () => {
  const claims: AccessClaims = {
    principalId: 'ada',
    sessionId: 'one',
    roles: ['clerk'],
    permissions: ['orders:read'],
    issuedAt: 1,
    expiresAt: 2,
  }
  const verified: string[] = []
  const tokens = {
    verify(token: string) {
      verified.push(token)
      if (token === 'a.bad.one') throw new UnauthorizedError('No.', { code: 'auth.token_invalid' })
      return token === 'a.new.one' ? Promise.resolve(claims) : claims
    },
  }
  const ada: Principal = { id: 'ada', sessionId: 'one', roles: ['clerk'], permissions: ['orders:read'] }

  test('when a good one is shown, it says who calls and nothing of its times', async () => {
    expect(bearer(tokens)(withHeader('Bearer a.known.one'))).toEqual(ada)
    expect(await bearer(tokens)(withHeader('Bearer a.new.one'))).toEqual(ada)
  })

  test('when a bad one is shown, it is refused', () => {
    expect(refusalOf(() => bearer(tokens)(withHeader('Bearer a.bad.one'))).code).toBe('auth.token_invalid')
    expect(refusalOf(() => bearer(tokens)(withHeader('Basic YTpi'))).code).toBe('auth.malformed')
  })

  test('when nothing or a key of another kind is shown, nothing is verified', () => {
    verified.length = 0
    expect(bearer(tokens)(withHeader(undefined))).toBeUndefined()
    expect(bearer(tokens)(withHeader('Bearer hfk_a.b'))).toBeUndefined()
    expect(verified).toEqual([])
  })
})

describe('given several ways to say who calls', () => {
  const asked: string[] = []
  const way =
    (name: string, answer: () => ReturnType<Authenticate>): Authenticate =>
    () => {
      asked.push(name)
      return answer()
    }
  const ada: Principal = { id: 'ada', roles: [], permissions: [] }
  const credentials = withHeader('Bearer abc')
  const refuse = (): never => {
    throw new UnauthorizedError()
  }

  test('when one knows, those after it are not asked and there is no promise', () => {
    asked.length = 0
    const authenticate = firstOf(
      way('a', () => undefined),
      way('b', () => ada),
      way('c', refuse),
    )
    expect(authenticate(credentials)).toBe(ada)
    expect(asked).toEqual(['a', 'b'])
  })

  test('when one takes time, the next waits for it', async () => {
    asked.length = 0
    const authenticate = firstOf(
      way('a', () => Promise.resolve(undefined)),
      way('b', () => undefined),
      way('c', () => Promise.resolve(ada)),
      way('d', refuse),
    )
    expect(await authenticate(credentials)).toBe(ada)
    expect(asked).toEqual(['a', 'b', 'c'])
  })

  test('when one refuses, nobody is asked whether they might let it in', async () => {
    asked.length = 0
    expect(() =>
      firstOf(
        way('a', refuse),
        way('b', () => ada),
      )(credentials),
    ).toThrow(UnauthorizedError)
    const later = firstOf(
      way('c', async () => refuse()),
      way('d', () => ada),
    )(credentials)
    await expect(later).rejects.toThrow(UnauthorizedError)
    expect(asked).toEqual(['a', 'c'])
  })

  test('when nothing was shown and nobody knows, there is no principal', async () => {
    const nothing = withHeader(undefined)
    expect(firstOf(() => undefined)(nothing)).toBeUndefined()
    expect(await firstOf(async () => undefined)(nothing)).toBeUndefined()
    expect(firstOf(() => undefined)({ ...nothing, cookie: 'theme=dark' })).toBeUndefined()
  })

  test('when a header came that nobody knows, it is refused and not taken for none', async () => {
    const refusal = refusalOf(() => firstOf(() => undefined)(credentials))
    expect([refusal.code, String(refusal.stack).includes('\n    at ')]).toEqual(['auth.token_invalid', false])
    const later = firstOf(
      async () => undefined,
      () => undefined,
    )(credentials)
    await expect(later).rejects.toMatchObject({ code: 'auth.token_invalid' })
    expect(refusalOf(() => firstOf(() => undefined)(withHeader(''))).code).toBe('auth.token_invalid')
  })

  test('when one gives null, the next is asked as well', () => {
    const careless = (() => null) as unknown as Authenticate
    expect(firstOf(careless, () => ada)(credentials)).toBe(ada)
    expect(refusalOf(() => firstOf(careless)(credentials)).code).toBe('auth.token_invalid')
  })

  test('when one of them is a list itself, what the list does not know is left to the next', async () => {
    const unknowing = firstOf(
      () => undefined,
      async () => undefined,
    )
    expect(await firstOf(unknowing, () => ada)(credentials)).toBe(ada)
    await expect(firstOf(firstOf(unknowing), () => undefined)(credentials)).rejects.toThrow(UnauthorizedError)
  })
})

function refusalOf(act: () => unknown): UnauthorizedError {
  try {
    act()
  } catch (error) {
    return error as UnauthorizedError
  }
  throw new Error('nothing was refused')
}
