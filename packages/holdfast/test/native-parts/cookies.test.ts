import express from 'express'
import Fastify from 'fastify'
import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import type { CorsOptions } from '../../src/core/http/cors.ts'
import * as onExpress from '../../src/edges/express/parts.ts'
import * as onFastify from '../../src/edges/fastify/parts.ts'
import { run, type RunningEdge } from '../edges.ts'

const cors: CorsOptions = { origins: ['https://app.example.com'], credentials: true }
const topology = { trusted: ['127.0.0.0/8'] }
const Cookies = z.object({ '__Host-refresh': z.string().max(10).default('none') })

const apps: Readonly<Record<string, () => Promise<Server>>> = {
  async express() {
    const { errorHandler, validate } = onExpress
    const trusting = validate({ cookies: Cookies }, { cors, topology })
    const alone = validate({ cookies: Cookies, query: z.object({ page: z.string().optional() }) })
    const others = validate({ query: z.object({}) })
    const app = express()
    app.all('/trusting', trusting, (request, response) => void response.json(trusting.of(request).cookies))
    app.all('/alone', alone, (request, response) => {
      const { cookies } = alone.of(request)
      expectTypeOf(cookies).toEqualTypeOf<{ '__Host-refresh': string }>()
      response.json(cookies)
    })
    app.all('/others', others, (request, response) => {
      const { cookies } = others.of(request)
      expectTypeOf(cookies).toEqualTypeOf<undefined>()
      response.json(cookies ?? null)
    })
    app.use(errorHandler())
    return createServer(app)
  },
  async fastify() {
    const { errorHandler, validate } = onFastify
    const trusting = validate({ cookies: Cookies }, { cors, topology })
    const alone = validate({ cookies: Cookies, query: z.object({ page: z.string().optional() }) })
    const others = validate({ query: z.object({}) })
    const app = Fastify()
    await app.register(errorHandler)
    app.all('/trusting', { preHandler: trusting }, (request) => trusting.of(request).cookies)
    app.all('/alone', { preHandler: alone }, (request) => alone.of(request).cookies)
    app.all('/others', { preHandler: others }, (request, reply) => reply.send(others.of(request).cookies ?? null))
    await app.ready()
    return app.server
  },
}

describe.each(Object.entries(apps))('given cookies that are validated in a plain app on %s', (_name, make) => {
  let running: RunningEdge
  beforeAll(async () => {
    running = await run(await make())
  })
  afterAll(() => running.stop())
  async function ask(line: string, cookie: string | undefined, headers: Record<string, string> = {}) {
    const [method = '', path = ''] = line.split(' ')
    const sent = { ...headers, ...(cookie !== undefined && { cookie }) }
    const response = await fetch(`${running.url}${path}`, { method, headers: sent })
    return { status: response.status, json: (await response.json()) as unknown }
  }

  test('when they come, the handler has those that the schema names', async () => {
    expect(await ask('GET /alone', 'theme=dark; __Host-refresh=mine')).toEqual({
      status: 200,
      json: { '__Host-refresh': 'mine' },
    })
    expect(await ask('GET /alone', undefined)).toEqual({ status: 200, json: { '__Host-refresh': 'none' } })
    expect(await ask('GET /others', '__Host-refresh=mine')).toEqual({ status: 200, json: null })
  })

  test('when a name came twice, neither is believed', async () => {
    const { json } = await ask('GET /alone', '__Host-refresh=planted; __Host-refresh=mine')
    expect(json).toEqual({ '__Host-refresh': 'none' })
  })

  test('when one does not fit, the answer names it', async () => {
    const { status, json } = await ask('GET /alone', '__Host-refresh=longer-than-it-may-be')
    expect(status).toBe(400)
    expect(json).toMatchObject({ errors: [{ path: ['cookies', '__Host-refresh'] }] })
  })

  test.each<[line: string, origin: string | undefined, cookie: string | undefined, status: number]>([
    ['POST /alone', 'http://own', 'a=1', 200],
    ['POST /alone', 'https://own', 'a=1', 200],
    ['POST /alone', 'https://app.example.com', 'a=1', 403],
    ['POST /alone', undefined, 'a=1', 403],
    ['POST /alone', 'https://evil.example', undefined, 200],
    ['GET /alone', 'https://evil.example', 'a=1', 200],
    ['POST /trusting', 'https://app.example.com', 'a=1', 200],
    ['POST /trusting', 'https://evil.example', 'a=1', 403],
    ['POST /others', 'https://evil.example', 'a=1', 200],
  ])('when %s comes from %s with the cookie %s, it gets %i', async (line, from, cookie, status) => {
    const origin = from?.replace('own', new URL(running.url).host)
    const answer = await ask(line, cookie, origin === undefined ? {} : { origin })
    expect(answer.status).toBe(status)
    if (status === 403) expect(answer.json).toMatchObject({ code: 'request.foreign_origin' })
  })

  test('when a proxy of ours took it over TLS, the page without TLS is foreign', async () => {
    const origin = running.url
    const overTls = { origin, 'x-forwarded-proto': 'https' }
    expect((await ask('POST /trusting', 'a=1', { origin })).status).toBe(200)
    expect((await ask('POST /trusting', 'a=1', overTls)).status).toBe(403)
  })
})
