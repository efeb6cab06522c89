import { setImmediate as nextTurn } from 'node:timers/promises'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { apiHeaders, pageHeaders } from '../../src/adapters/helmet/security-headers.ts'
import { roles, signedIn } from '../../src/core/auth/access.ts'
import type { Authenticate } from '../../src/core/auth/principal.ts'
import { accepted, created, empty, noContent, ok, page, pageOf, textOf } from '../../src/core/http/reply.ts'
import { del, get, patch, post, put } from '../../src/core/http/route.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import { UnauthorizedError } from '../../src/foundation/errors.ts'
import { edges } from '../edges.ts'

// The service under fire: `node --expose-gc service.child.ts <edge>`. Every kind of route there is, open and closed, with
// and without waiting, behind all five layers, so that mutated requests get as deep as they can.

const Line = z.object({ sku: z.string().min(1).max(40), quantity: z.int().min(1).max(1000) })
const Order = z.object({
  name: z.string().max(80),
  priceCents: z.int().min(0),
  lines: z.array(Line).max(50).optional(),
  notes: z.record(z.string(), z.unknown()).optional(),
})
const Id = z.object({ id: z.coerce.number().int().positive() })
const Filter = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  tag: z.array(z.string().max(40)).optional(),
  q: z.string().max(200).optional(),
})
const Anything = z.object({ anything: z.json() })
const Stored = z.object({ name: z.string().refine(async (name) => (await nextTurn(name)) !== 'taken') })
const rope = { name: 'rope', priceCents: 700 }

const Login = z.object({ email: z.string().max(200), password: z.string().max(200) })
const Theme = z.object({ theme: z.enum(['light', 'dark']).optional() })

const authenticate: Authenticate = ({ authorization, cookie }) => {
  if (cookie === 'session=mine') return { id: 'u2', roles: [], permissions: [] }
  if (authorization === undefined) return undefined
  if (authorization !== 'Bearer letmein') throw new UnauthorizedError('This token is not one of ours.')
  return Promise.resolve({ id: 'u1', roles: ['clerk'], permissions: [] })
}

// Quotas that nothing here uses up: what is looked for are calls that a gate breaks, not those that it refuses.
const plenty = { quota: 1_000_000, windowSeconds: 1 } as const
const limiter = createLimiter({
  everywhere: ['address', 'principal'],
  maxKeys: 1000,
  policies: {
    address: { by: 'address', ...plenty },
    principal: { by: 'principal', ...plenty },
    login: { by: 'address', ...plenty, counts: 'failures' },
    account: { by: { body: 'email' }, ...plenty, counts: 'failures' },
    name: { by: { body: 'name' }, ...plenty },
  },
})

const http = createHttp(
  [
    get('/items', { access: 'public', reply: { 200: Order } }, () => ok(rope)),
    get('/items/:id', { access: 'public', params: Id, reply: { 200: Order } }, () => ok(rope)),
    get(
      '/items/:id/parts/:part',
      { access: 'public', params: Id.extend({ part: z.string() }), reply: { 200: Anything } },
      (call) => ok({ anything: call.params.part }),
    ),
    get(
      '/search',
      { access: 'public', query: Filter, reply: { 200: pageOf(z.object({ anything: z.unknown() })) } },
      async (call) => page([{ anything: await nextTurn({ ...call.query }) }], null),
    ),
    get('/mine', { access: signedIn, reply: { 200: Order } }, () => ok(rope)),
    get('/admin', { access: roles('admin'), reply: { 200: Order } }, () => ok(rope)),
    post('/mine', { access: signedIn, body: Order, limit: 'name', reply: { 201: Order } }, (call) =>
      created('/mine/1', call.body),
    ),
    post(
      '/login',
      { access: 'public', body: Login, limit: ['login', 'account'], reply: { 200: empty } },
      ({ body }) => {
        if (body.password !== 'right') throw new UnauthorizedError('Wrong e-mail address or password.')
        return { status: 200 as const, data: undefined, headers: { 'set-cookie': 'session=mine; HttpOnly' } }
      },
    ),
    post('/theme', { access: 'public', cookies: Theme, reply: { 200: Anything } }, ({ cookies }) =>
      ok({ anything: cookies.theme ?? 'none' }),
    ),
    get('/theme', { access: 'public', cookies: Theme, headers: 'page', reply: { 200: Anything } }, ({ cookies }) =>
      ok({ anything: cookies.theme ?? 'none' }, { vary: 'Cookie' }),
    ),
    get('/page', { access: 'public', headers: 'page', reply: { 200: textOf('text/html; charset=utf-8') } }, () =>
      ok('{"data":"as text"}'),
    ),
    post('/orders', { access: 'public', body: Order, reply: { 201: Order } }, (call) =>
      created('/orders/1', call.body),
    ),
    put(
      '/orders/:id',
      { access: 'public', params: Id, body: Order, unknownKeys: 'drop', reply: { 200: Order } },
      (call) => ok(call.body),
    ),
    patch('/orders/:id', { access: 'public', params: Id, body: Stored, reply: { 202: Stored } }, (call) =>
      accepted(call.body),
    ),
    post('/anything', { access: 'public', body: Anything, maxBodyBytes: 20_000, reply: { 200: Anything } }, (call) =>
      ok({ anything: call.body.anything }),
    ),
    del('/orders/:id', { access: signedIn, params: Id, reply: { 204: empty } }, () => noContent()),
  ],
  {
    authenticate,
    limiter,
    topology: { trusted: ['127.0.0.0/8'] },
    headers: { default: apiHeaders(), page: pageHeaders() },
    cors: { origins: ['https://app.example.com', 'https://*.apps.example'], credentials: true },
    health: { isLive: () => true, readiness: () => Promise.resolve({ ready: true }) },
  },
)

/** What escaped every handler; nothing may. */
const escaped: string[] = []
process.on('uncaughtException', (error) => escaped.push(`uncaughtException: ${error.stack}`))
process.on('unhandledRejection', (reason) => {
  escaped.push(`unhandledRejection: ${reason instanceof Error ? reason.stack : String(reason)}`)
})

const start = edges[process.argv[2] as keyof typeof edges]
const { url, server } = await start(http, { headersTimeoutMs: 3000, requestTimeoutMs: 5000, keepAliveTimeoutMs: 2000 })

/** How the process is doing, asked over the channel. */
export interface Condition {
  readonly pid: number
  readonly heapBytes: number
  readonly connections: number
  readonly escaped: readonly string[]
}

process.on('message', () => {
  globalThis.gc?.()
  server.getConnections((_error, connections) => {
    const heapBytes = process.memoryUsage().heapUsed
    process.send?.({ pid: process.pid, heapBytes, connections, escaped } satisfies Condition)
  })
})
process.on('disconnect', () => process.exit())
process.send?.({ url })
