import express, { type ErrorRequestHandler } from 'express'
import Fastify from 'fastify'
import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Authenticate } from '../../src/core/auth/principal.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import type { Limiter } from '../../src/core/rate-limit/limiter.ts'
import * as onExpress from '../../src/edges/express/guards.ts'
import * as onFastify from '../../src/edges/fastify/guards.ts'
import { run, type RunningEdge } from '../edges.ts'

const authenticate: Authenticate = ({ authorization }) =>
  authorization === undefined ? undefined : { id: authorization, roles: [], permissions: [] }

const limiterOf = (): Limiter =>
  createLimiter({
    everywhere: ['all', 'mine'],
    policies: {
      all: { by: 'address', quota: 1000, windowSeconds: 60 },
      mine: { by: 'principal', quota: 2, windowSeconds: 60 },
    },
  })

const thrown: unknown[] = []

const apps: Readonly<Record<string, () => Promise<Server>>> = {
  async express() {
    const limiter = limiterOf()
    const app = express()
    app.get('/early', onExpress.rateLimit({ limiter }), (_request, response) => void response.json({}))
    app.get(
      '/address',
      onExpress.rateLimit({ limiter, policies: 'all' }),
      (_request, response) => void response.json({}),
    )
    app.use(onExpress.authentication({ authenticate }), onExpress.rateLimit({ limiter }))
    app.get('/late', (_request, response) => void response.json({}))
    const onError: ErrorRequestHandler = (error: { readonly status?: number }, _request, response, _next) => {
      thrown.push(error)
      response.sendStatus(error.status ?? 500)
    }
    app.use(onError)
    return createServer(app)
  },
  async fastify() {
    const limiter = limiterOf()
    const app = Fastify()
    app.setErrorHandler((error: { readonly statusCode?: number }, _request, reply) => {
      thrown.push(error)
      return reply.code(error.statusCode ?? 500).send()
    })
    app.get('/early', { onRequest: onFastify.limit({ limiter }) }, () => ({}))
    app.get('/address', { onRequest: onFastify.limit({ limiter, policies: 'all' }) }, () => ({}))
    await app.register(async (inner) => {
      await inner.register(onFastify.authentication, { authenticate })
      await inner.register(onFastify.rateLimit, { limiter })
      inner.get('/late', () => ({}))
    })
    await app.ready()
    return app.server
  },
}

describe.each(Object.entries(apps))('given limits by principal in a plain app on %s', (_name, make) => {
  let running: RunningEdge
  beforeAll(async () => {
    running = await run(await make())
  })
  afterAll(() => running.stop())
  const statusesOf = async (path: string, authorization?: string, times = 1): Promise<number[]> => {
    const statuses: number[] = []
    while (statuses.length < times) {
      const response = await fetch(
        `${running.url}${path}`,
        authorization === undefined ? {} : { headers: { authorization } },
      )
      statuses.push(response.status)
    }
    return statuses
  }

  test('when they stand after authentication, each principal has a limit and nobody has none', async () => {
    expect(await statusesOf('/late', 'ada', 3)).toEqual([200, 200, 429])
    expect(await statusesOf('/late', 'grace')).toEqual([200])
    expect(await statusesOf('/late', undefined, 4)).toEqual([200, 200, 200, 200])
  })

  test('when they stand before it, every call fails and the error says what to do', async () => {
    thrown.length = 0
    expect(await statusesOf('/early', 'ada')).toEqual([500])
    expect(await statusesOf('/early')).toEqual([500])
    const [error] = thrown as TypeError[]
    expect(error).toBeInstanceOf(TypeError)
    expect(error?.message).toMatch(/"mine".* by principal.*mount it before.*policies by address/)
  })

  test('when only policies by address stand before it, they count', async () => {
    expect(await statusesOf('/address', 'ada')).toEqual([200])
  })
})
