import { describe, expect, test } from 'vitest'
import { clearRefreshCookie, readCookie, refreshCookie, refreshCookieName } from './refresh-cookie.ts'

describe('given a browser', () => {
  test('when it signs in, the token goes where no script and no other host reads it', () => {
    const signedIn = {
      accessToken: 'a.b.c',
      expiresInSeconds: 900,
      refreshToken: 'hfr_token',
      refreshExpiresInSeconds: 1_209_600,
      session: { id: '1', principalId: 'ada', label: '', createdAt: 0, lastUsedAt: 0, expiresAt: 0 },
    }
    expect(refreshCookie(signedIn)).toBe(
      '__Host-refresh=hfr_token; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=1209600',
    )
    expect(clearRefreshCookie()).toBe('__Host-refresh=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0')
  })

  test.each([
    ['alone', '__Host-refresh=hfr_1', 'hfr_1'],
    ['among others', 'a=1; __Host-refresh=hfr_1; b=2', 'hfr_1'],
    ['without spaces', 'a=1;__Host-refresh=hfr_1;b=2', 'hfr_1'],
    ['with spaces and tabs around it', 'a=1; \t__Host-refresh = hfr_1 \t; b=2', 'hfr_1'],
    ['beside one that only looks like it', '\u00a0__Host-refresh=2; __Host-refresh=hfr_1', 'hfr_1'],
    ['with = in its value', '__Host-refresh=a=b', 'a=b'],
    ['empty', '__Host-refresh=', ''],
  ])('when the cookie comes %s, it is read', (_, header, value) => {
    expect(readCookie(header, refreshCookieName)).toBe(value)
  })

  test.each([
    ['there is no header', undefined],
    ['it is missing', 'a=1; b=2'],
    ['it comes twice', '__Host-refresh=1; __Host-refresh=2'],
    ['it comes twice and is the same', '__Host-refresh=1; __Host-refresh=1'],
    ['it comes twice, once without a value', '__Host-refresh=1; __Host-refresh'],
    ['its case differs', '__host-refresh=1'],
    ['a no-break space stands before its name, as some browsers let a sibling host plant', '\u00a0__Host-refresh=1'],
    ['a no-break space stands behind its name', '__Host-refresh\u00a0=1'],
    ['a no-break space stands before its value', '__Host-refresh=\u00a01'],
    ['its name is only part of one', 'x__Host-refresh=1; __Host-refreshx=1'],
    ['its value is quoted', '__Host-refresh="1"'],
    ['its value has a space', '__Host-refresh=1 2'],
    ['its value has a comma', '__Host-refresh=1,2'],
    ['its value has a backslash', String.raw`__Host-refresh=1\2`],
    ['its value has a control character', '__Host-refresh=1\u00012'],
    ['its value is no ASCII', '__Host-refresh=ä'],
  ])('when %s, there is none', (_, header) => {
    expect(readCookie(header, refreshCookieName)).toBeUndefined()
  })
})
