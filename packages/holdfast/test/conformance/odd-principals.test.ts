import type { Server } from 'node:http'
import express from 'express'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { roles, signedIn } from '../../src/core/auth/access.ts'
import type { Authenticate } from '../../src/core/auth/principal.ts'
import { ok } from '../../src/core/http/reply.ts'
import { get } from '../../src/core/http/route.ts'
import * as onExpress from '../../src/edges/express/guards.ts'
import * as onFastify from '../../src/edges/fastify/guards.ts'
import { createServer } from '../../src/edges/node/server.ts'
import { run, type RunningEdge, servers } from '../edges.ts'

// What an `authenticate` that no compiler checked may give. Nobody is let in by mistake.

const principal = { id: 'u1', roles: ['clerk'], permissions: [] }
const odd: Readonly<Record<string, [given: unknown, status: number]>> = {
  right: [principal, 200],
  undefined: [undefined, 401],
  null: [null, 401],
  false: [false, 500],
  true: [true, 500],
  zero: [0, 500],
  text: ['u1', 500],
  empty: [{}, 500],
  'id-of-nobody': [{ ...principal, id: '' }, 500],
  'id-in-number': [{ ...principal, id: 7 }, 500],
  'roles-as-text': [{ ...principal, roles: 'superadmin' }, 500],
  'permissions-as-text': [{ ...principal, permissions: 'all' }, 500],
}
const authenticate: Authenticate = ({ authorization = '' }) => odd[authorization]?.[0] as typeof principal
const later: Authenticate = async (credentials) => await authenticate(credentials)

const tableOf = (how: Authenticate) =>
  createHttp(
    [
      get('/mine', { access: signedIn, reply: { 200: z.string() } }, () => ok('mine')),
      get('/admin', { access: roles('admin'), reply: { 200: z.string() } }, () => ok('admin')),
    ],
    { authenticate: how },
  )

const apps: Readonly<Record<string, () => Promise<Server>>> = {
  'a table on express': () => servers.express(tableOf(authenticate)),
  'a table on fastify': () => servers.fastify(tableOf(later)),
  async 'parts on express'() {
    const app = express()
    app.use(onExpress.authentication({ authenticate }))
    app.get('/mine', onExpress.access(signedIn), (_request, response) => void response.json({}))
    app.get('/admin', onExpress.access(roles('admin')), (_request, response) => void response.json({}))
    return createServer(app)
  },
  async 'parts on fastify'() {
    const app = Fastify()
    await app.register(onFastify.authentication, { authenticate: later })
    app.get('/mine', { onRequest: onFastify.access(signedIn) }, () => ({}))
    app.get('/admin', { onRequest: onFastify.access(roles('admin')) }, () => ({}))
    await app.ready()
    return app.server
  },
}

describe.each(Object.entries(apps))('given %s', (_name, make) => {
  let edge: RunningEdge
  beforeAll(async () => {
    edge = await run(await make())
  })
  afterAll(() => edge.stop())

  test.each(Object.entries(odd))('when authenticate gives %s, access is as it should be', async (name, [, status]) => {
    const headers = { authorization: name }
    expect((await fetch(`${edge.url}/mine`, { headers })).status).toBe(status)
    expect((await fetch(`${edge.url}/admin`, { headers })).status).toBe(status === 200 ? 403 : status)
  })
})
