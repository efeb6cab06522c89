import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import type { HeaderPolicy } from '../../src/core/http/header-policy.ts'
import { empty, noContent, ok, textOf } from '../../src/core/http/reply.ts'
import { get, post, type Route } from '../../src/core/http/route.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import { edges, type RunningEdge } from '../edges.ts'

const page: HeaderPolicy = {
  headers: ['content-security-policy', "default-src 'self'", 'cache-control', 'public, max-age=60'],
  secureHeaders: ['strict-transport-security', 'max-age=31536000'],
}
const strict: HeaderPolicy = {
  headers: ['content-security-policy', "default-src 'none'", 'x-content-type-options', 'nosniff'],
  secureHeaders: ['strict-transport-security', 'max-age=31536000'],
}
const logger = createRecordingLogger()
const seenCookies: (string | undefined)[] = []

const table: readonly Route[] = [
  get('/page', { access: 'public', headers: 'page', reply: { 200: textOf('text/html; charset=utf-8') } }, () =>
    ok('<p>räd</p>'),
  ),
  get('/page-of-mine', { access: signedIn, headers: 'page', reply: { 200: textOf('text/html') } }, () => ok('mine')),
  get('/no-text', { access: 'public', reply: { 200: textOf('text/plain') } }, () => ok({}) as never),
  get('/open', { access: 'public', reply: { 200: z.string() } }, () =>
    ok('open', { vary: 'Accept', 'cache-control': 'public, max-age=5' }),
  ),
  get('/mine', { access: signedIn, reply: { 200: z.string() } }, ({ principal }) => ok(principal.id)),
  get('/mine-cached', { access: signedIn, reply: { 200: z.string() } }, () =>
    ok('mine', { 'Cache-Control': 'public, max-age=60' }),
  ),
  get('/mine-cached-by-cdn', { access: signedIn, reply: { 200: z.string() } }, () =>
    ok('mine', { 'CDN-Cache-Control': 'max-age=60' }),
  ),
  get(
    '/cookie-cached',
    { access: 'public', cookies: z.object({ theme: z.string() }), reply: { 200: z.string() } },
    ({ cookies }) => ok(cookies.theme, { 'cache-control': 'public, max-age=60' }),
  ),
  get('/page-of-one', { access: 'public', headers: 'page', reply: { 200: z.string() } }, () =>
    ok('yours', { 'set-cookie': 'id=1' }),
  ),
  get('/cached-of-one', { access: 'public', reply: { 200: z.string() } }, () =>
    ok('yours', { 'Set-Cookie': 'id=1', 'cache-control': 'public, max-age=60' }),
  ),
  get('/private-of-one', { access: 'public', reply: { 200: z.string() } }, () =>
    ok('yours', { 'set-cookie': 'id=1', 'cache-control': 'private, max-age=60' }),
  ),
  get('/mine-private', { access: signedIn, reply: { 200: z.string() } }, () =>
    ok('mine', { 'cache-control': 'private, max-age=60' }),
  ),
  get('/sniffed', { access: 'public', reply: { 204: empty } }, () => noContent({ 'X-Content-Type-Options': 'sniff' })),
  get('/granting', { access: 'public', reply: { 204: empty } }, () =>
    noContent({ 'access-control-allow-origin': '*' }),
  ),
  post('/mine', { access: signedIn, reply: { 204: empty } }, () => noContent()),
  post(
    '/refresh',
    { access: 'public', cookies: z.object({ '__Host-refresh': z.string().optional() }), reply: { 200: z.string() } },
    ({ cookies }) => ok(cookies['__Host-refresh'] ?? 'none'),
  ),
  get(
    '/cookie',
    { access: 'public', cookies: z.object({ theme: z.enum(['light', 'dark']) }), reply: { 200: z.string() } },
    ({ cookies }) => ok(cookies.theme),
  ),
]
const http = createHttp(table, {
  logger,
  topology: { trusted: ['127.0.0.0/8'] },
  headers: { default: strict, page },
  cors: { origins: ['https://app.example.com', 'https://*.apps.example'], credentials: true },
  authenticate: ({ authorization, cookie }) => {
    seenCookies.push(cookie)
    return authorization === 'me' || cookie === 'me=1' ? { id: 'me', roles: [], permissions: [] } : undefined
  },
})

describe.each(Object.entries(edges))('given header policies and origins on %s', (_name, start) => {
  let edge: RunningEdge
  beforeAll(async () => {
    edge = await start(http)
  })
  afterAll(() => edge.stop())
  const call = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${edge.url}${path}`, init)
  test.each([
    ['/mine-cached-by-cdn', 500, 'no-store'],
    ['/cookie-cached', 500, 'no-store'],
    ['/cached-of-one', 500, 'no-store'],
    ['/page-of-one', 200, 'no-store'],
    ['/private-of-one', 200, 'private, max-age=60'],
  ])('when %s is made for one visitor, no cache serves it to another', async (path, status, cacheControl) => {
    const { status: seen, headers } = await call(path, { headers: { authorization: 'me', cookie: 'theme=light' } })
    expect([seen, headers.get('cache-control')]).toEqual([status, cacheControl])
    expect(headers.get('cdn-cache-control')).toBeNull()
  })

  test.each([
    ['/page?odd=1', 'GET', 400],
    ['/page', 'DELETE', 405],
  ])('when %s refuses a %s, no cache keeps the refusal for everybody', async (path, method, status) => {
    const response = await call(path, { method })
    expect([response.status, response.headers.get('cache-control')]).toEqual([status, 'no-store'])
  })

  test('when a handler would have browsers guess types, that is a defect', async () => {
    const response = await call('/sniffed')
    expect([response.status, response.headers.get('x-content-type-options')]).toEqual([500, 'nosniff'])
  })

  const app = { origin: 'https://app.example.com' }

  test('when a page is asked for, it is text of its type under the policy of its route', async () => {
    const response = await call('/page')
    expect(await response.text()).toBe('<p>räd</p>')
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('content-security-policy')).toBe("default-src 'self'")
    expect(response.headers.get('cache-control')).toBe('public, max-age=60')
  })

  test('when a policy forgets it, replies are not sniffed all the same', async () => {
    expect((await call('/page')).headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('when a page is made for somebody, it is stored by nobody whatever its policy says', async () => {
    const response = await call('/page-of-mine', { headers: { authorization: 'me' } })
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test('when a handler would have others read what is made for one, it is a defect and leaks nothing', async () => {
    const response = await call('/mine-cached', { headers: { authorization: 'me' } })
    expect(response.status).toBe(500)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const kept = await call('/mine-private', { headers: { authorization: 'me' } })
    expect([kept.status, kept.headers.get('cache-control')]).toEqual([200, 'private, max-age=60'])
  })

  test('when a handler gives no text where text is declared, it is a defect', async () => {
    expect((await call('/no-text')).status).toBe(500)
  })

  test.each(['access-control-allow-origin'])('when a handler sets %s, it is a defect', async () => {
    const response = await call('/granting', { headers: { origin: 'https://evil.example' } })
    expect(response.status).toBe(500)
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })

  test.each([
    [undefined, null],
    ['http', null],
    ['https', 'max-age=31536000'],
    ['https, http', 'max-age=31536000'],
    ['httpsx', null],
  ])('when a trusted proxy says it was asked over %s, strict transport is %s', async (scheme, expected) => {
    const headers = scheme === undefined ? {} : { 'x-forwarded-proto': scheme }
    expect((await call('/open', { headers })).headers.get('strict-transport-security')).toBe(expected)
    expect((await call('/nowhere', { headers })).headers.get('strict-transport-security')).toBe(expected)
  })

  test.each([
    ['/open', 'GET', 200],
    ['/mine', 'GET', 401],
    ['/nowhere', 'GET', 404],
    ['/open', 'POST', 405],
    ['/open?x=1', 'GET', 400],
    ['/%zz', 'GET', 400],
    ['/no-text', 'GET', 500],
  ])('when %s %s is answered with %i, a page that may read it can', async (path, method, status) => {
    const response = await call(path, { method, headers: app })
    expect(response.status).toBe(status)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(response.headers.get('access-control-allow-credentials')).toBe('true')
    expect(response.headers.get('access-control-expose-headers')).toContain('x-request-id')
    expect(response.headers.get('vary')).toContain('Origin')
  })

  test('when a handler says what replies differ by, the origin is said too', async () => {
    expect((await call('/open', { headers: app })).headers.get('vary')).toBe('Origin, Accept')
    expect((await call('/open')).headers.get('vary')).toBe('Origin, Accept')
  })

  test.each(['https://evil.example', 'null', 'https://app.example.com.evil.example'])(
    'when a page of %s asks, it is answered and may not read',
    async (origin) => {
      const response = await call('/open', { headers: { origin } })
      expect(response.status).toBe(200)
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
      expect(response.headers.get('vary')).toContain('Origin')
    },
  )

  test.each([
    ['/open', 'GET, HEAD, OPTIONS'],
    ['/mine', 'GET, HEAD, OPTIONS, POST'],
    ['/nowhere', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
    ['/%zz', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  ])('when a browser asks before it calls %s, it learns %s without proving who it is', async (path, methods) => {
    const preflight = { origin: 'https://a.apps.example', 'access-control-request-method': 'POST' }
    const response = await call(path, { method: 'OPTIONS', headers: preflight })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://a.apps.example')
    expect(response.headers.get('access-control-allow-methods')).toBe(methods)
    expect(response.headers.get('access-control-max-age')).toBe('600')
    expect(response.headers.get('content-security-policy')).toBe("default-src 'none'")
  })

  test('when a foreign page asks before it calls, it learns nothing', async () => {
    const preflight = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
    const response = await call('/mine', { method: 'OPTIONS', headers: preflight })
    expect(response.status).toBe(204)
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
  })

  const cookie = '__Host-refresh=r1; other=2'
  test.each([
    ['its own page', 'own', 200, 'r1'],
    ['a trusted page', 'https://app.example.com', 200, 'r1'],
    ['a foreign page', 'https://evil.example', 403, undefined],
    ['a sandboxed page', 'null', 403, undefined],
    ['nobody says where', undefined, 403, undefined],
  ])('when %s has a cookie sent along, it is answered with %3$i', async (_from, origin, status, data) => {
    const from = origin === 'own' ? edge.url : origin
    const response = await call('/refresh', {
      method: 'POST',
      headers: { cookie, ...(from === undefined ? {} : { origin: from }) },
    })
    expect(response.status).toBe(status)
    const body = (await response.json()) as { data?: string; code?: string }
    expect(body.data).toBe(data)
    if (status === 403) expect(body.code).toBe('request.foreign_origin')
  })

  test('when no cookie came, no origin is asked for', async () => {
    expect((await call('/refresh', { method: 'POST' })).status).toBe(200)
  })

  test('when a cookie came twice, it is as if none had come', async () => {
    const response = await call('/refresh', {
      method: 'POST',
      headers: { cookie: '__Host-refresh=planted; __Host-refresh=r1', origin: edge.url },
    })
    expect(await response.json()).toEqual({ data: 'none' })
  })

  test('when a cookie does not fit its schema, the refusal says which', async () => {
    const response = await call('/cookie', { headers: { cookie: 'theme=<script>' } })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ errors: [{ path: ['cookies', 'theme'] }] })
    expect(await (await call('/cookie', { headers: { cookie: 'theme=dark; x=1' } })).json()).toEqual({ data: 'dark' })
  })

  test('when a foreign page has a cookie sent along, it proves nobody', async () => {
    seenCookies.length = 0
    const postFrom = (origin: string): Promise<Response> =>
      call('/mine', { method: 'POST', headers: { cookie: 'me=1', origin } })
    expect((await postFrom('https://evil.example')).status).toBe(401)
    expect((await postFrom('https://app.example.com')).status).toBe(204)
    expect(seenCookies).toEqual([undefined, 'me=1'])
  })
})

describe.each(Object.entries(edges))('given clients that reach %s directly', (_name, start) => {
  test('when one claims that it came over TLS, it is not believed', async () => {
    const direct = await start(createHttp(table, { headers: { default: strict, page }, authenticate: () => undefined }))
    const response = await fetch(`${direct.url}/open`, { headers: { 'x-forwarded-proto': 'https' } })
    expect(response.headers.get('strict-transport-security')).toBeNull()
    await direct.stop()
  })
})

describe('given policies that do not fit', () => {
  const route = get('/x', { access: 'public', headers: 'paeg', reply: { 204: empty } }, () => noContent())

  test('when a route names one that is not there, nothing starts', () => {
    expect(() => createHttp([route], { headers: { default: strict, page } })).toThrow(
      'Route GET /x: there is no header policy `paeg`; there is default, page',
    )
  })

  test('when a limit is named and there is no limiter, nothing starts', () => {
    const limited = get('/x', { access: 'public', limit: 'login', reply: { 204: empty } }, () => noContent())
    expect(() => createHttp([limited])).toThrow('names the limit login')
  })

  test('when a header could break out of its line, nothing starts', () => {
    const headers = { headers: ['x-a', 'b\r\nset-cookie: c'], secureHeaders: [] }
    expect(() => createHttp([], { headers })).toThrow(TypeError)
  })
})
