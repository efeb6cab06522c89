import express from 'express'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createDatabase } from '../../src/adapters/postgres/database.ts'
import type { Database } from '../../src/adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { createTestDatabase } from '../../src/adapters/postgres/embedded/test-database.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import type { Authenticate } from '../../src/core/auth/principal.ts'
import { isolated } from '../../src/core/context/acting.ts'
import { ok } from '../../src/core/http/reply.ts'
import { get, post, type Route } from '../../src/core/http/route.ts'
import { authentication as expressAuthentication } from '../../src/edges/express/guards.ts'
import { errorHandler as expressErrorHandler, requestLog as expressRequestLog } from '../../src/edges/express/parts.ts'
import { authentication as fastifyAuthentication } from '../../src/edges/fastify/guards.ts'
import { errorHandler as fastifyErrorHandler, requestLog as fastifyRequestLog } from '../../src/edges/fastify/parts.ts'
import { createServer } from '../../src/edges/node/server.ts'
import { silentLogger } from '../../src/foundation/logger.ts'
import { edges, run, type RunningEdge } from '../edges.ts'

let postgres: EmbeddedPostgres
let owner: Database
let database: Database

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  const { url } = await createTestDatabase({ adminUrl: postgres.url })
  owner = createDatabase({ url })
  await owner.execute(sql`create role layers_service nologin`)
  await owner.execute(sql`create table letters (id serial primary key, owner text not null)`)
  await owner.execute(sql`alter table letters enable row level security`)
  await owner.execute(sql`
    create policy own on letters using (owner = (select current_setting('app.principal_id', true)))`)
  await owner.execute(sql`grant select, insert, update, delete on letters to layers_service`)
  await owner.execute(sql`grant usage on sequence letters_id_seq to layers_service`)
  await owner.execute(sql`insert into letters (owner) values ('ann'), ('bob'), ('bob')`)
  database = createDatabase({
    url,
    role: 'layers_service',
    applicationName: 'layers',
    workloads: { reporting: { maxConnections: 1, maxWaiting: 0 } },
  })
}, 60_000)

afterAll(async () => {
  await Promise.all([database?.close(), owner?.close()])
  await postgres?.stop()
})

/** `Authorization: ann` is Ann. */
const authenticate: Authenticate = ({ authorization }) =>
  authorization === undefined ? undefined : { id: authorization, roles: [], permissions: [] }

const pool = () =>
  database.one(sql`select current_setting('application_name') as name`, (row: { readonly name: string }) => row.name)
// A repository that forgot its `where`.
const letters = () =>
  database.rowSecured.many(sql`select owner from letters`, (row: { readonly owner: string }) => row.owner)

const Pool = z.object({ pool: z.string() })
const Owners = z.array(z.string())
const table: readonly Route[] = [
  get('/light', { access: 'public', reply: { 200: Pool } }, async () => ok({ pool: await pool() })),
  get('/heavy', { access: 'public', isolation: 'reporting', reply: { 200: Pool } }, async () =>
    ok({ pool: await pool() }),
  ),
  get('/slow', { access: 'public', isolation: 'reporting', reply: { 200: Pool } }, async () => {
    await database.query(sql`select pg_sleep(20)`)
    return ok({ pool: 'slept' })
  }),
  get('/late', { access: 'public', timeoutMs: 200, reply: { 200: Pool } }, async () => {
    await database.transaction(async () => {
      await database.query(sql`select pg_sleep(20)`)
    })
    return ok({ pool: 'slept' })
  }),
  get('/letters', { access: signedIn, reply: { 200: Owners } }, async () => ok(await letters())),
  post('/letters', { access: signedIn, body: z.object({ owner: z.string() }), reply: { 200: Owners } }, ({ body }) =>
    database.transaction(async () => {
      await database.rowSecured.execute(sql`insert into letters (owner) values (${body.owner})`)
      return ok(await letters())
    }),
  ),
]

const active = () =>
  owner.query(sql`select 1 from pg_stat_activity where application_name like 'layers%' and state <> 'idle'`)
const areActive = (count: number) => vi.waitFor(async () => expect(await active()).toHaveLength(count))

describe.each(Object.entries(edges))('given a route table on %s', (_, startEdge) => {
  let edge: RunningEdge
  beforeAll(async () => {
    const http = createHttp(table, { authenticate, isolations: database.workloads })
    edge = await startEdge(http)
  })
  afterAll(() => edge?.stop())
  const call = async (path: string, options?: RequestInit) => {
    const response = await fetch(edge.url + path, options)
    return { status: response.status, headers: response.headers, body: (await response.json()) as { data: unknown } }
  }
  const as = (authorization: string) => ({ headers: { authorization } })

  test('when a route names its class of work, it runs on the pool of that name, others on the default one', async () => {
    expect((await call('/light')).body.data).toEqual({ pool: 'layers' })
    expect((await call('/heavy')).body.data).toEqual({ pool: 'layers reporting' })
  })

  test('when the pool of a class is used up, it answers 503 with Retry-After, and the others answer', async () => {
    const gone = new AbortController()
    const slow = fetch(`${edge.url}/slow`, { signal: gone.signal }).catch(() => undefined)
    await areActive(1)
    const refused = await call('/heavy')
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await call('/light')).status).toBe(200)
    gone.abort()
    await slow
    await areActive(0)
    expect((await call('/heavy')).status).toBe(200)
  })

  test('when the deadline passes inside a transaction, it answers 504 and the statement ends', async () => {
    expect((await call('/late')).status).toBe(504)
    await areActive(0)
  })

  test('when a repository forgets whose rows they are, each caller gets their own all the same', async () => {
    expect((await call('/letters', as('ann'))).body.data).toEqual(['ann'])
    expect((await call('/letters', as('bob'))).body.data).toEqual(['bob', 'bob'])
    expect((await call('/letters', as('carl'))).body.data).toEqual([])
  })

  test('when a caller writes in the name of another, the answer is 500 and nothing is written', async () => {
    const write = (authorization: string, name: string) =>
      call('/letters', {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ owner: name }),
      })
    expect((await write('dora', 'dora')).body.data).toContain('dora')
    expect((await write('dora', 'eve')).status).toBe(500)
    expect(await owner.query(sql`select 1 from letters where owner = 'eve'`)).toEqual([])
  })
})

describe('given a route that belongs to a class nobody has', () => {
  test('when the service starts, it does not', () => {
    expect(() => createHttp(table, { authenticate, isolations: ['interactive'] })).toThrow(
      'Route GET /heavy: isolation "reporting" is none of `isolations` (interactive)',
    )
    expect(() => createHttp(table, { authenticate })).toThrow('(none given)')
  })

  test('when its class is known, a reviewer reads it', () => {
    const http = createHttp(table, { authenticate, isolations: database.workloads })
    expect(http.explain('GET', '/heavy')?.stages).toContainEqual({ stage: 'isolation', does: 'reporting' })
  })
})

const natives: Readonly<Record<string, () => Promise<RunningEdge>>> = {
  async express() {
    const app = express()
    app.use(expressRequestLog({ logger: silentLogger, timeoutMs: 300 }))
    app.use(expressAuthentication({ authenticate }))
    app.get('/letters', async (_request, response) => void response.json(await letters()))
    const reporting: express.RequestHandler = (_request, _response, next) => isolated('reporting', next)
    app.get('/heavy', reporting, async (_request, response) => void response.json(await pool()))
    app.get('/late', async (_request, response) => void response.json(await database.query(sql`select pg_sleep(20)`)))
    app.use(expressErrorHandler({}))
    return run(createServer(app))
  },
  async fastify() {
    const app = Fastify()
    await app.register(fastifyRequestLog, { logger: silentLogger, timeoutMs: 300 })
    await app.register(fastifyErrorHandler, {})
    await app.register(fastifyAuthentication, { authenticate })
    app.get('/letters', () => letters())
    app.get('/heavy', () => isolated('reporting', async () => ({ pool: await pool() })))
    app.get('/late', () => database.query(sql`select pg_sleep(20)`))
    await app.ready()
    return run(app.server)
  },
}

describe.each(Object.entries(natives))('given an app on %s without a route table', (_, start) => {
  let app: RunningEdge
  beforeAll(async () => {
    app = await start()
  })
  afterAll(() => app?.stop())
  const call = async (path: string, headers: Record<string, string> = {}) =>
    JSON.stringify(await (await fetch(app.url + path, { headers })).json())

  test('when it knows who calls, so does row-level security', async () => {
    expect(await call('/letters', { authorization: 'ann' })).toBe('["ann"]')
    expect(await call('/letters', { authorization: 'bob' })).toBe('["bob","bob"]')
    expect(await call('/letters')).toBe('[]')
  })

  test('when its time is up, what it asked ends on the server, and the answer is 504', async () => {
    const late = await fetch(`${app.url}/late`)
    expect(late.status).toBe(504)
    await areActive(0)
  })

  test('when a handler belongs to a class of work, it runs on that pool', async () => {
    expect(await call('/heavy')).toContain('layers reporting')
  })
})
