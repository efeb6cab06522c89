import type { Server } from 'node:http'
import { connect } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import type { Limiter } from '../../src/core/rate-limit/limiter.ts'
import { createMemoryLimitStore } from '../../src/core/rate-limit/memory-limit-store.ts'
import * as onExpress from '../../src/edges/express/guards.ts'
import * as onFastify from '../../src/edges/fastify/guards.ts'
import { createServer } from '../../src/edges/node/server.ts'
import { run, type RunningEdge } from '../edges.ts'

// Limits in apps whose bodies no schema has judged before they are counted.

const limiterOf = (): Limiter =>
  createLimiter({
    policies: { account: { by: { body: 'email' }, quota: 3, windowSeconds: 3600, counts: 'failures' } },
  })
let answered = 0

const apps: Readonly<Record<string, () => Promise<Server>>> = {
  async express() {
    const app = express()
    app.use(express.json())
    app.post('/login', onExpress.rateLimit({ limiter: limiterOf(), policies: 'account' }), (_request, response) => {
      answered += 1
      response.status(401).json({})
    })
    return createServer(app)
  },
  async fastify() {
    const app = Fastify({ forceCloseConnections: true })
    const preHandler = onFastify.limit({ limiter: limiterOf(), policies: 'account' })
    app.post('/login', { preHandler }, async (_request, reply) => {
      answered += 1
      return reply.code(401).send({})
    })
    await app.ready()
    return app.server
  },
}

describe.each(Object.entries(apps))('given a limit by a member of the body in a plain app on %s', (_name, make) => {
  let edge: RunningEdge
  beforeAll(async () => {
    edge = await run(await make())
  })
  beforeEach(() => void (answered = 0))
  afterAll(() => edge.stop())
  const login = async (email: string): Promise<number> => {
    const headers = { 'content-type': 'application/json' }
    return (await fetch(`${edge.url}/login`, { method: 'POST', headers, body: `{"email":${email}}` })).status
  }

  test.each([
    ['spellings of one name', ['"a@b.example"', '" A@b.example"', '"a@B.EXAMPLE "', '"ａ@b.example"', '"A@B.example"']],
    [
      'lists',
      ['["c@b.example"]', '["c@b.example",1]', '[["c@b.example"]]', '["C@b.example"]', '{"$in":["c@b.example"]}'],
    ],
    ['numbers', ['7', '"7"', '7.0', '7e0', '" 7"']],
    ['truths', ['true', 'true', '"true"', 'true', 'true']],
  ])('when %s are sent, they are counted together', async (_what, emails) => {
    const statuses: number[] = []
    for (const email of emails) statuses.push(await login(email))
    expect(statuses).toEqual([401, 401, 401, 429, 429])
  })

  test.each(['null', '"later@b.example"'])('when %s is sent, the others are not in its way', async (email) => {
    expect(await login(email)).toBe(401)
  })

  test('when guesses hang up, they count', async () => {
    for (let guess = 0; guess < 3; guess++) {
      const socket = connect(Number(new URL(edge.url).port), '127.0.0.1')
      const body = '{"email":"hasty@b.example"}'
      socket.write(
        `POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      await expect.poll(() => answered).toBe(guess + 1)
      socket.resetAndDestroy()
    }
    expect(await login('"hasty@b.example"')).toBe(429)
  })
})

describe('given a limiter that decides after somebody else has answered', () => {
  test('when it does, nothing fails', async () => {
    const decided = Promise.withResolvers<void>()
    const memory = createMemoryLimitStore()
    const limiter = createLimiter({
      store: { ...memory, take: (...asked) => decided.promise.then(() => memory.take(...asked)) },
      maxWaitMs: 5000,
      policies: { few: { by: 'address', quota: 3, windowSeconds: 3600 } },
    })
    const check = onExpress.rateLimit({ limiter, policies: 'few' })
    const outcome = Promise.withResolvers<unknown>()
    const edge = await run(
      createServer((request, response) => {
        check(request as never, response as never, outcome.resolve)
        response.end('busy')
      }),
    )
    expect(await (await fetch(edge.url)).text()).toBe('busy')
    decided.resolve()
    expect(await outcome.promise).toBeUndefined()
    await edge.stop()
  })
})

describe('given a limit that would count nobody', () => {
  const nowhere = (): Limiter =>
    createLimiter({ policies: { few: { by: 'address', quota: 3, windowSeconds: 3600 } }, everywhere: [] })

  test('when it has no policy at all, it is refused as it is made', () => {
    const limiter = nowhere()
    expect(() => onExpress.rateLimit({ limiter })).toThrow(/^rateLimit counts by no policy; name some in `policies`/)
    expect(() => onFastify.limit({ limiter, policies: [] })).toThrow(TypeError)
  })

  test('when it counts by the body and is registered where Fastify has read none, it is refused', async () => {
    const app = Fastify()
    const registered = app.register(onFastify.rateLimit, { limiter: limiterOf(), policies: 'account' })
    await expect(registered).rejects.toThrow(/"account".*use `limit` in `preHandler`/)
  })
})

describe('given a Fastify app', () => {
  test('when a part is registered with a wrong option, `register` rejects and the process goes on', async () => {
    const wrong = [
      () => Fastify().register(onFastify.rateLimit, { limiter: limiterOf(), policies: 'nobody' }),
      () => Fastify().register(onFastify.cors, { origins: ['null'] }),
      () => Fastify().register(onFastify.headers, { topology: { trusted: ['0.0.0.0/0'] } }),
    ]
    for (const register of wrong) await expect(async () => await register()).rejects.toThrow(TypeError)
  })
})
