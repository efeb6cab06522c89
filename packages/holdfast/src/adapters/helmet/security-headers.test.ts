import type { HelmetOptions } from 'helmet'
import { describe, expect, test, vi } from 'vitest'
import { defaultHeaders } from '../../core/http/header-block.ts'
import { apiHeaders, pageHeaders, securityHeaders } from './security-headers.ts'

const toLines = (flat: readonly string[]) =>
  flat.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${flat[at + 1]}`] : []))

describe('given the headers of an API', () => {
  test('when Helmet makes them, they are byte for byte those that the pipeline sends without Helmet', () => {
    expect(apiHeaders().headers).toEqual(defaultHeaders)
    expect(toLines(apiHeaders().headers)).toEqual([
      "content-security-policy: default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy: same-origin',
      'referrer-policy: no-referrer',
      'x-content-type-options: nosniff',
      'x-frame-options: DENY',
      'cache-control: no-store',
    ])
  })

  test('when they go over TLS, browsers are told to stay there, for a year, subdomains too', () => {
    expect(toLines(apiHeaders().secureHeaders)).toEqual([
      'strict-transport-security: max-age=31536000; includeSubDomains',
    ])
  })

  test('when somebody tries to change them, they stay', () => {
    const policy = apiHeaders()
    expect(Object.isFrozen(policy) && Object.isFrozen(policy.headers) && Object.isFrozen(policy.secureHeaders)).toBe(
      true,
    )
  })
})

describe('given the headers of pages', () => {
  test('when nothing is set, a page has what its own origin has and nothing else', () => {
    expect(toLines(pageHeaders().headers)).toEqual([
      "content-security-policy: default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; " +
        "font-src 'self'; connect-src 'self'; form-action 'self'; object-src 'none'; base-uri 'none'; " +
        "frame-ancestors 'none'",
      'cross-origin-opener-policy: same-origin',
      'cross-origin-resource-policy: same-origin',
      'origin-agent-cluster: ?1',
      'referrer-policy: same-origin',
      'x-content-type-options: nosniff',
      'x-frame-options: DENY',
      'cache-control: no-cache',
    ])
    expect(pageHeaders().secureHeaders).toEqual(apiHeaders().secureHeaders)
  })

  test('when sources are allowed, they come after the own origin', () => {
    const [, policy] = pageHeaders({
      scriptSrc: ['https://cdn.example.com', "'sha256-AAAA'"],
      imgSrc: ['data:'],
    }).headers
    expect(policy).toContain("script-src 'self' https://cdn.example.com 'sha256-AAAA'; ")
    expect(policy).toContain("img-src 'self' data:; ")
    expect(policy).toContain("style-src 'self'; ")
  })

  test.each(["'unsafe-inline'", "'UNSAFE-EVAL'", '*', 'https:', 'data:'])(
    'when scripts may come from %s, the service does not start',
    (source) => {
      expect(() => pageHeaders({ scriptSrc: [source] })).toThrow(TypeError)
    },
  )

  test.each(['https://a.example; script-src *', 'https://a.example, *', 'none', 'sha256-AAAA', 'https://a\r\nx: y'])(
    'when a source is %j, it does not slip into another directive or header',
    (source) => {
      expect(() => pageHeaders({ styleSrc: [source] })).toThrow()
    },
  )
})

describe('given options of Helmet', () => {
  test('when none are set, they are its own, with no-store', () => {
    const { headers, secureHeaders } = securityHeaders()
    expect(headers).toContain('cross-origin-opener-policy')
    expect(headers.slice(-2)).toEqual(['cache-control', 'no-store'])
    expect(secureHeaders).toEqual(['strict-transport-security', 'max-age=31536000; includeSubDomains'])
  })

  test('when headers are switched off, they are not there', () => {
    const off = { contentSecurityPolicy: false, hsts: false, frameguard: false } as const
    const { headers, secureHeaders } = securityHeaders(off, { cacheControl: false })
    expect(headers).not.toContain('cache-control')
    expect(headers).not.toContain('x-frame-options')
    expect(headers).not.toContain('content-security-policy')
    expect(secureHeaders).toEqual([])
  })

  test.each<[string, unknown]>([
    ['an option it does not have', { contentSecurityPolcy: false }],
    ['one option under two names', { hsts: true, strictTransportSecurity: true }],
    ['a policy it does not know', { referrerPolicy: { policy: 'sometimes' } }],
    ['an age that is none', { strictTransportSecurity: { maxAge: -1 } }],
    ['no default-src', { contentSecurityPolicy: { useDefaults: false, directives: { 'img-src': ["'self'"] } } }],
    ['a function', { contentSecurityPolicy: { directives: { scriptSrc: ["'self'", () => "'nonce-once'"] } } }],
    ['a line break', { contentSecurityPolicy: { directives: { scriptSrc: ["'self'\r\nset-cookie: a=b"] } } }],
  ])('when they hold %s, the service does not start', (_, options) => {
    expect(() => securityHeaders(options as HelmetOptions)).toThrow()
  })

  test('when cache-control is no header value, the service does not start', () => {
    expect(() => securityHeaders({}, { cacheControl: 'no-store\r\nx: y' })).toThrow(TypeError)
  })

  test('when they are fine, nothing is written to the console', () => {
    const warn = vi.spyOn(console, 'warn')
    apiHeaders()
    pageHeaders()
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })
})
