import type { Server } from 'node:http'
import express from 'express'
import Fastify from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import type { Authenticate } from '../../src/core/auth/principal.ts'
import { empty, noContent, ok } from '../../src/core/http/reply.ts'
import { del, get, post } from '../../src/core/http/route.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import * as onExpress from '../../src/edges/express/guards.ts'
import { fallback as expressFallback, routes as expressRoutes } from '../../src/edges/express/routes.ts'
import * as onFastify from '../../src/edges/fastify/guards.ts'
import { fastifyOptions } from '../../src/edges/fastify/options.ts'
import { fallback as fastifyFallback, routes as fastifyRoutes } from '../../src/edges/fastify/routes.ts'
import { createServer } from '../../src/edges/node/server.ts'
import { run, type RunningEdge } from '../edges.ts'

// Guards of the app around a table: what they refuse must not reach the table's handlers.

let handled = 0
const http = createHttp([
  get('/orders', { access: 'public', reply: { 200: z.string() } }, () => {
    handled += 1
    return ok('orders')
  }),
  post('/orders', { access: 'public', body: z.object({ name: z.string() }), reply: { 200: z.string() } }, () => {
    handled += 1
    return ok('made')
  }),
  del('/orders', { access: 'public', reply: { 204: empty } }, () => {
    handled += 1
    return noContent()
  }),
])
const authenticate: Authenticate = ({ authorization }) => {
  if (authorization === 'broken') throw new Error('a secret of ours')
  return authorization === undefined ? undefined : { id: authorization, roles: [], permissions: [] }
}
const limiterOf = () => createLimiter({ policies: { few: { by: 'address', quota: 12, windowSeconds: 3600 } } })

const apps: Readonly<Record<string, () => Promise<Server>>> = {
  async express() {
    const app = express()
    app.use(onExpress.authentication({ authenticate }))
    app.use(onExpress.access(signedIn))
    app.use((request, response, next) => {
      if (request.headers['x-late'] === undefined) next()
      else response.status(418).end()
    })
    app.use(onExpress.rateLimit({ limiter: limiterOf(), policies: 'few' }))
    app.use(expressRoutes(http))
    app.use(expressFallback(http))
    return createServer(app)
  },
  async fastify() {
    const app = Fastify(fastifyOptions(http))
    await app.register(onFastify.authentication, { authenticate })
    app.addHook('onRequest', onFastify.access(signedIn))
    app.addHook('preHandler', async (request, reply) => {
      if (request.headers['x-late'] !== undefined) await reply.code(418).send()
    })
    await app.register(onFastify.rateLimit, { limiter: limiterOf(), policies: 'few' })
    await app.register(fastifyFallback, { http })
    await app.register(fastifyRoutes, { http })
    await app.ready()
    return app.server
  },
}

describe.each(Object.entries(apps))('given guards of the app around a table on %s', (_name, make) => {
  let edge: RunningEdge
  beforeAll(async () => {
    edge = await run(await make())
  })
  beforeEach(() => void (handled = 0))
  afterAll(() => edge.stop())
  const call = (init: RequestInit = {}): Promise<Response> => fetch(`${edge.url}/orders`, init)

  test('when the app refuses a call, the table does not answer it', async () => {
    const response = await call()
    expect(response.status).toBe(401)
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(handled).toBe(0)
  })

  test('when a guard of the app has a defect, the call ends with a bare 500', async () => {
    const response = await call({ headers: { authorization: 'broken' } })
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('a secret of ours')
    expect(handled).toBe(0)
  })

  test.each(['', 'text/plain', ';;', 'a/b/c'])('when a body of type "%s" comes, the table judges it', async (type) => {
    const headers = { authorization: 'me', ...(type === '' ? {} : { 'content-type': type }) }
    const response = await call({ method: 'POST', headers, body: new TextEncoder().encode('{}') })
    expect(response.status).toBe(415)
    expect(await response.json()).toMatchObject({ code: 'request.unsupported_media_type' })
  })

  test.each(['text/plain', ';;', ''])('when a guard that looks late refuses a type "%s", so be it', async (type) => {
    const headers = { authorization: 'you', 'x-late': '1', 'content-type': type }
    expect((await call({ method: 'DELETE', headers })).status).toBe(418)
    expect(handled).toBe(0)
  })

  test('when calls come too often for the app, the table does not answer the next one', async () => {
    const statuses: number[] = []
    for (let n = 0; n < 14; n++) statuses.push((await call({ headers: { authorization: 'me' } })).status)
    expect(statuses).toContain(429)
    expect(statuses.at(-1)).toBe(429)
    expect(handled).toBe(statuses.filter((status) => status === 200).length)
  })
})

// What stands in front of the table on purpose must not be walked around: the fallback answers for the table, and serves
// none of its routes.
const items = createHttp([
  get('/items/:id', { access: 'public', params: z.object({ id: z.string() }), reply: { 200: z.string() } }, () => {
    handled += 1
    return ok('an item')
  }),
])
const guardedApps: Readonly<Record<string, () => Promise<Server>>> = {
  async express() {
    const app = express()
    const table = expressRoutes(items)
    app.use('/api', (request, response, next) => {
      if (request.headers['x-let-me-in'] === undefined) next()
      else return table(request, response, next)
    })
    app.use(expressFallback(items, { mountPath: '/api' }))
    return createServer(app)
  },
  async fastify() {
    const app = Fastify()
    await app.register(fastifyFallback, { http: items, mountPath: '/api' })
    app.addHook('onRequest', async (request, reply) => {
      if (request.headers['x-let-me-in'] === undefined) await reply.code(404).send()
    })
    await app.register(fastifyRoutes, { http: items, prefix: '/api' })
    // A constraint of a native route has Fastify miss others that come with its header.
    app.get('/versioned', { constraints: { version: '1.0.0' } }, () => ({}))
    await app.ready()
    return app.server
  },
}

describe.each(Object.entries(guardedApps))(
  'given a guard before a table and a fallback after it on %s',
  (_name, make) => {
    let edge: RunningEdge
    beforeAll(async () => {
      edge = await run(await make())
    })
    beforeEach(() => void (handled = 0))
    afterAll(() => edge.stop())

    test.each([
      ['/api/items/7', {}],
      ['/api/items/7', { 'accept-version': '2.0.0' }],
    ])('when the guard is not asked or says no, %s is not served', async (path, headers) => {
      expect((await fetch(edge.url + path, { headers: headers as Record<string, string> })).status).toBe(404)
      expect(handled).toBe(0)
    })

    test('when the guard says yes, it is', async () => {
      expect((await fetch(`${edge.url}/api/items/7`, { headers: { 'x-let-me-in': '1' } })).status).toBe(200)
    })

    test('when the method is another, the fallback says so', async () => {
      const response = await fetch(`${edge.url}/api/items/7`, { method: 'PUT' })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    })
  },
)
