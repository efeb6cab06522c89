import express from 'express'
import Fastify from 'fastify'
import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { roles, signedIn } from '../../src/core/auth/access.ts'
import type { Authenticate } from '../../src/core/auth/principal.ts'
import type { CorsOptions } from '../../src/core/http/cors.ts'
import * as onExpress from '../../src/edges/express/guards.ts'
import * as onFastify from '../../src/edges/fastify/guards.ts'
import { UnauthorizedError } from '../../src/foundation/errors.ts'
import { run, type RunningEdge } from '../edges.ts'

// The layers one by one in apps that have no other part of the kit: plain servers, plain handlers of errors.

const authenticate: Authenticate = ({ authorization, cookie }) => {
  if (authorization === 'wrong') throw new UnauthorizedError('Wrong.')
  if (authorization === 'expired') throw new UnauthorizedError('Expired.', { code: 'auth.token_expired' })
  const id = authorization ?? cookie?.replace('id=', '')
  return id === undefined ? undefined : { id, roles: id === 'root' ? ['admin'] : [], permissions: [] }
}
const topology = { trusted: ['127.0.0.0/8'] }
const cors: CorsOptions = { origins: ['https://app.example.com'], credentials: true }

const apps: Readonly<Record<string, () => Promise<Server>>> = {
  async express() {
    const app = express()
    app.use((_request, response, next) => {
      response.setHeader('vary', 'Accept')
      next()
    })
    app.use(onExpress.headers({ topology }))
    app.use(onExpress.cors(cors))
    app.use(onExpress.authentication({ authenticate, cors, topology }))
    app.use('/twice', onExpress.authentication({ authenticate: () => undefined }), (request, response) => {
      response.json({ id: onExpress.principalOf(request)?.id ?? null })
    })
    app.get('/open', (request, response) => {
      response.json({ id: onExpress.principalOf(request)?.id ?? null })
    })
    app.all('/mine', onExpress.access(signedIn), (request, response) => {
      response.json({ id: onExpress.principalOf(request)?.id })
    })
    app.all('/by-cookie', onExpress.sameOrigin({ cors, topology }), (_request, response) => {
      response.json({})
    })
    app.post('/ours-alone', onExpress.sameOrigin(), (_request, response) => {
      response.json({})
    })
    app.get('/somebody', (request, response) => {
      response.json({ id: onExpress.requirePrincipal(request).id })
    })
    app.get('/admin', onExpress.access(roles('admin')), (_request, response) => {
      response.json({})
    })
    return createServer(app)
  },
  async fastify() {
    const app = Fastify()
    app.addHook('onRequest', async (_request, reply) => {
      reply.raw.setHeader('vary', 'Accept')
    })
    await app.register(onFastify.headers, { topology })
    await app.register(onFastify.cors, cors)
    await app.register(onFastify.authentication, { authenticate, cors, topology })
    await app.register(async (inner) => {
      await inner.register(onFastify.authentication, { authenticate: () => undefined })
      inner.get('/twice', (request) => ({ id: onFastify.principalOf(request)?.id ?? null }))
    })
    app.get('/open', (request) => ({ id: onFastify.principalOf(request)?.id ?? null }))
    app.route({
      method: ['GET', 'POST'],
      url: '/mine',
      onRequest: onFastify.access(signedIn),
      handler: (request) => ({ id: onFastify.principalOf(request)?.id }),
    })
    app.route({
      method: ['GET', 'POST', 'DELETE'],
      url: '/by-cookie',
      onRequest: onFastify.sameOrigin({ cors, topology }),
      handler: () => ({}),
    })
    app.post('/ours-alone', { onRequest: onFastify.sameOrigin() }, () => ({}))
    app.get('/somebody', (request) => ({ id: onFastify.requirePrincipal(request).id }))
    app.get('/admin', { onRequest: onFastify.access(roles('admin')) }, () => ({}))
    await app.ready()
    return app.server
  },
}

describe.each(Object.entries(apps))('given single layers in a plain app on %s', (_name, make) => {
  let edge: RunningEdge
  beforeAll(async () => {
    edge = await run(await make())
  })
  afterAll(() => edge.stop())
  const call = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${edge.url}${path}`, init)

  test.each(['/open', '/mine', '/nowhere'])('when %s is answered, it carries security headers', async (path) => {
    const { headers } = await call(path)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  test.each(['/open', '/mine', '/nowhere'])('when a listed page calls %s, it may read the answer', async (path) => {
    const { headers } = await call(path, { headers: { origin: 'https://app.example.com' } })
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(headers.get('vary')).toBe('Accept, Origin')
  })

  test.each(['/mine', '/nowhere'])('when a browser asks before it calls %s, it learns what it may', async (path) => {
    const preflight = { origin: 'https://app.example.com', 'access-control-request-method': 'POST' }
    const response = await call(path, { method: 'OPTIONS', headers: preflight })
    expect([response.status, response.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'authorization, content-type, idempotency-key, traceparent',
    ])
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('when a foreign page asks, it may not read', async () => {
    const { headers } = await call('/open', { headers: { origin: 'https://evil.example' } })
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })

  test.each([
    ['/open', undefined, 200],
    ['/open', 'me', 200],
    ['/open', 'wrong', 401],
    ['/mine', undefined, 401],
    ['/mine', 'me', 200],
    ['/somebody', 'me', 200],
    ['/somebody', undefined, 401],
    ['/admin', 'me', 403],
    ['/admin', 'root', 200],
    ['/admin', undefined, 401],
  ])('when %s is called by %s, the app answers %i by itself', async (path, authorization, status) => {
    const response = await call(path, authorization === undefined ? {} : { headers: { authorization } })
    expect(response.status).toBe(status)
    expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
  })

  test('when a foreign page has a cookie sent along, it proves nobody', async () => {
    const postFrom = (origin: string): Promise<Response> =>
      call('/mine', { method: 'POST', headers: { cookie: 'id=me', origin } })
    expect((await postFrom('https://evil.example')).status).toBe(401)
    expect((await postFrom('https://app.example.com')).status).toBe(200)
  })

  test('when a second one finds nobody, whom the first found stays', async () => {
    expect(await (await call('/twice', { headers: { authorization: 'me' } })).json()).toEqual({ id: 'me' })
    expect(await (await call('/twice')).json()).toEqual({ id: null })
  })

  test('when a token is shown that is not good, the challenge says that it is the token', async () => {
    const { status, headers } = await call('/open', { headers: { authorization: 'expired' } })
    expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"'])
  })

  test('when a proxy of ours took it over TLS, the page without TLS is a foreign one', async () => {
    const { host } = new URL(edge.url)
    const postFrom = async (origin: string, headers: Record<string, string> = {}): Promise<number> =>
      (await call('/mine', { method: 'POST', headers: { cookie: 'id=me', origin, ...headers } })).status
    expect(await postFrom(`http://${host}`)).toBe(200)
    const overTls = { 'x-forwarded-proto': 'https' }
    expect(await postFrom(`https://${host}`, overTls)).toBe(200)
    expect(await postFrom(`http://${host}`, overTls)).toBe(401)
  })

  describe('with routes that act on a cookie', () => {
    const cookie = { cookie: 'a=1' }
    const overTls = { ...cookie, 'x-forwarded-proto': 'https' }
    test.each<[method: string, origin: string | undefined, headers: Record<string, string>, status: number]>([
      ['POST', 'http://own', cookie, 200],
      ['POST', 'https://own', cookie, 200],
      ['POST', 'http://own', overTls, 403],
      ['POST', 'https://own', overTls, 200],
      ['POST', 'https://app.example.com', cookie, 200],
      ['POST', 'https://evil.example', cookie, 403],
      ['DELETE', 'https://evil.example', cookie, 403],
      ['POST', 'null', cookie, 403],
      ['POST', undefined, cookie, 403],
      ['POST', 'https://evil.example', {}, 200],
      ['POST', undefined, {}, 200],
      ['GET', 'https://evil.example', cookie, 200],
    ])('when %s comes from %s with %j, it gets %i', async (method, from, headers, status) => {
      const origin = from?.replace('own', new URL(edge.url).host)
      const response = await call('/by-cookie', { method, headers: { ...headers, ...(origin && { origin }) } })
      expect(response.status).toBe(status)
    })

    test('when no other origin is named, one that CORS grants elsewhere is foreign too', async () => {
      const postFrom = async (origin: string): Promise<number> =>
        (await call('/ours-alone', { method: 'POST', headers: { ...cookie, origin } })).status
      expect([await postFrom('https://app.example.com'), await postFrom(edge.url)]).toEqual([403, 200])
    })
  })
})
