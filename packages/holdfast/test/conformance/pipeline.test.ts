import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { permission, roles, signedIn } from '../../src/core/auth/access.ts'
import { currentRequest } from '../../src/core/context/request-context.ts'
import { accepted, created, empty, noContent, ok, page, pageOf } from '../../src/core/http/reply.ts'
import { get, post, type Route } from '../../src/core/http/route.ts'
import { NotFoundError, ServiceUnavailableError, UnauthorizedError } from '../../src/foundation/errors.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import { edges, type RunningEdge } from '../edges.ts'

const Thing = z.object({ id: z.int(), name: z.string() })
const logger = createRecordingLogger()
const seen: string[] = []

const table: readonly Route[] = [
  get(
    '/things/:id',
    { access: 'public', params: z.object({ id: z.coerce.number().int() }), reply: { 200: Thing } },
    ({ params }) => {
      if (params.id === 404) throw new NotFoundError('things.not_found', 'There is no thing 404.')
      if (params.id === 503)
        throw new ServiceUnavailableError('things.down', 'Later.', { retryAfterSeconds: 7, cause: new Error('pool') })
      return ok({ id: params.id, name: 'rope', secret: 'x' })
    },
  ),
  get(
    '/things',
    {
      access: 'public',
      query: z.object({
        tag: z.array(z.string()).max(2).optional(),
        limit: z.coerce.number().int().max(50).default(20),
      }),
      reply: { 200: pageOf(Thing) },
    },
    ({ query }) => page({ items: [{ id: query.limit, name: query.tag?.join('+') ?? 'none' }], nextCursor: 'more' }),
  ),
  get(
    '/dropping',
    {
      access: 'public',
      unknownKeys: 'drop',
      query: z.object({ a: z.string() }),
      reply: { 200: z.object({ a: z.string() }) },
    },
    ({ query }) => ok(query),
  ),
  post('/things', { access: 'public', body: Thing, reply: { 201: Thing, 202: Thing } }, async ({ body }) =>
    body.id === 202
      ? accepted(body)
      : created(`/things/${body.name}`, body, { etag: '"1"', 'cache-control': 'private' }),
  ),
  post('/loose', { access: 'public', body: z.record(z.string(), z.unknown()), reply: { 204: empty } }, () =>
    noContent(),
  ),
  get('/none', { access: 'public', reply: { 204: empty } }, () => noContent()),
  get('/bodyless', { access: 'public', reply: { 200: empty } }, () => ({
    status: 200 as const,
    data: undefined,
  })),
  get('/undeclared', { access: 'public', reply: { 200: Thing } }, () => noContent() as never),
  get('/misfit', { access: 'public', reply: { 200: Thing } }, () => ok({ id: 'secret-value' }) as never),
  get('/nothing', { access: 'public', reply: { 200: Thing } }, () => undefined as never),
  get('/splitting', { access: 'public', reply: { 204: empty } }, () => noContent({ 'x-a': 'b\r\nset-cookie: c' })),
  get('/owning', { access: 'public', reply: { 204: empty } }, () => noContent({ 'content-length': '5' })),
  get('/zod-deeper', { access: 'public', reply: { 204: empty } }, () => {
    z.object({ upstream: z.string() }).parse({})
    return noContent()
  }),
  get('/slow', { access: 'public', timeoutMs: 60, reply: { 204: empty } }, async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    seen.push(`aborted: ${String(signal.reason.code)}`)
    throw new Error('too late to tell anyone')
  }),
  get(
    '/slow-to-leave',
    { access: 'public', timeoutMs: 60, reply: { 200: Thing.refine(() => new Promise<boolean>(() => {})) } },
    () => ok({ id: 1, name: 'rope' }),
  ),
  get('/two-faced', { access: 'public', reply: { 204: empty } }, () => {
    let reads = 0
    return {
      get status() {
        reads += 1
        return reads === 1 ? 204 : 9999
      },
      data: undefined,
    } as never
  }),
  get('/gone', { access: 'public', reply: { 204: empty } }, async ({ signal }) => {
    seen.push('begun')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    seen.push(`gone: ${String(signal.reason.message)}`)
    return noContent()
  }),
  get(
    '/context',
    { access: 'public', reply: { 200: z.object({ id: z.string(), remaining: z.number(), traceparent: z.string() }) } },
    async () => {
      await new Promise((resolve) => setImmediate(resolve))
      const request = currentRequest()
      request?.logger.info({}, 'from deep inside')
      return ok({
        id: request?.requestId ?? '',
        remaining: request?.remainingMs() ?? 0,
        traceparent: request?.traceparent ?? '',
      })
    },
  ),
  get('/me', { access: signedIn, reply: { 200: z.object({ id: z.string() }) } }, ({ principal }) =>
    ok({ id: principal.id }),
  ),
  get('/admin', { access: roles('admin', 'root'), reply: { 204: empty } }, () => noContent()),
  get('/ship', { access: permission('orders:write', 'orders:ship'), reply: { 204: empty } }, () => noContent()),
  get(
    '/broken-rule',
    { access: { rule: 'broken', allows: (() => Promise.resolve(false)) as never }, reply: { 204: empty } },
    () => noContent(),
  ),
  post('/guarded', { access: signedIn, body: Thing, reply: { 204: empty } }, () => noContent()),
]

let isUp = true
const http = createHttp(table, {
  logger,
  topology: { trusted: ['127.0.0.1'] },
  health: { isLive: () => true, readiness: async () => ({ ready: isUp }) },
  authenticate: async ({ authorization }) => {
    if (authorization === undefined) return undefined
    if (authorization === 'Bearer broken') throw new Error('the key store is down')
    if (!authorization.startsWith('Bearer user-')) throw new UnauthorizedError('The token is not valid.')
    const name = authorization.slice('Bearer user-'.length)
    return {
      id: name,
      roles: name === 'ann' ? ['admin'] : [],
      permissions: name === 'ann' ? ['orders:write', 'orders:ship'] : ['orders:write'],
    }
  },
})

const running = new Map<string, RunningEdge>()
beforeAll(async () => {
  for (const [name, start] of Object.entries(edges)) running.set(name, await start(http))
})
afterAll(async () => {
  for (const edge of running.values()) await edge.stop()
})
afterEach(() => {
  logger.lines.length = 0
  seen.length = 0
})

const json = { 'content-type': 'application/json' }

describe.each(Object.keys(edges))('given a service on %s', (edge) => {
  const call = (path: string, init?: RequestInit): Promise<Response> => fetch(`${running.get(edge)?.url}${path}`, init)
  const lines = (): unknown[] =>
    logger.lines.map(({ level, fields: { ms: _ms, requestId: _id, ...fields }, message }) => ({
      level,
      message,
      ...fields,
    }))

  test('when a handler answers, only what its reply shape names leaves, in the envelope', async () => {
    const response = await call('/things/7')
    expect(await response.text()).toBe('{"data":{"id":7,"name":"rope"}}')
    expect(lines()).toEqual([
      {
        level: 'info',
        message: 'request',
        method: 'GET',
        route: '/things/:id',
        status: 200,
        bytes: 31,
        client: '127.0.0.1',
      },
    ])
  })

  test('when a page is given, its cursor stands in meta', async () => {
    const response = await call('/things?tag=a&tag=b&limit=3')
    expect(await response.json()).toEqual({ data: [{ id: 3, name: 'a+b' }], meta: { page: { nextCursor: 'more' } } })
  })

  test('when several parts are wrong, every fault is named and no value is echoed', async () => {
    const response = await call('/things?tag=a&tag=b&tag=c&limit=secret&surprise=1')
    const problem = (await response.json()) as { errors: { path: unknown[]; code: string }[] }
    expect(response.status).toBe(400)
    expect(problem.errors.map(({ path, code }) => [path.join('.'), code])).toEqual([
      ['query.tag', 'too_big'],
      ['query.limit', 'invalid_type'],
      ['query', 'unrecognized_keys'],
    ])
    expect(JSON.stringify(problem)).not.toContain('secret')
  })

  test('when a route drops unknown keys, they are gone', async () => {
    expect(await (await call('/dropping?a=1&b=2')).json()).toEqual({ data: { a: '1' } })
  })

  test('when a reply has no body, its length says so, and a 204 has none', async () => {
    const { headers } = await call('/bodyless')
    expect([headers.get('content-length'), headers.get('transfer-encoding')]).toEqual(['0', null])
    expect((await call('/none')).headers.get('content-length')).toBeNull()
  })

  test('when something was created, Location is encoded and headers are as the handler set them', async () => {
    const response = await call('/things', { method: 'POST', headers: json, body: '{"id":1,"name":"räd x"}' })
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBe('/things/r%C3%A4d%20x')
    expect(response.headers.get('etag')).toBe('"1"')
    expect(response.headers.get('cache-control')).toBe('private')
  })

  test('when a status has no body, none is sent and none announced', async () => {
    const response = await call('/none')
    expect([
      response.status,
      await response.text(),
      response.headers.get('content-length'),
      response.headers.get('content-type'),
    ]).toEqual([204, '', null, null])
  })

  test.each([
    ['/undeclared', 'gave status 204, which its `reply` does not list'],
    ['/misfit', 'The 200 reply of GET /misfit does not fit its schema: id'],
    ['/nothing', 'no reply; return ok(...)'],
    ['/splitting', 'characters that no header value may have'],
    ['/owning', 'content-length belongs to the pipeline'],
    ['/zod-deeper', 'upstream'],
  ])('when %s breaks its own contract, the caller gets a bare 500 and the log the reason', async (path, reason) => {
    const response = await call(path)
    expect(await response.json()).toMatchObject({
      status: 500,
      code: 'internal',
      detail: expect.stringContaining('requestId'),
    })
    expect(response.headers.get('set-cookie')).toBeNull()
    expect(logger.lines).toHaveLength(2)
    expect(logger.lines[0]?.fields['err']).toHaveProperty('message', expect.stringContaining(reason))
  })

  test('when a service says that something is not there, that is no defect', async () => {
    const response = await call('/things/404')
    expect(await response.json()).toMatchObject({ status: 404, code: 'things.not_found', instance: '/things/404' })
    expect(logger.lines.map(({ level }) => level)).toEqual(['info'])
  })

  test('when a dependency is down, the caller is told when to come back and the log why', async () => {
    const response = await call('/things/503')
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7'])
    expect(logger.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn something this service depends on failed',
      'warn request',
    ])
  })

  test('when a handler outlives its deadline, the caller gets 504, the signal aborts and the late failure is logged', async () => {
    const response = await call('/slow')
    expect(await response.json()).toMatchObject({ status: 504, code: 'request.timeout' })
    expect(seen).toEqual(['aborted: request.timeout'])
    await vi.waitFor(() =>
      expect(logger.lines.map(({ message }) => message)).toContain('a handler failed after its deadline'),
    )
  })

  test('when a reply schema outlives the deadline, the caller gets 504 all the same', async () => {
    expect((await call('/slow-to-leave')).status).toBe(504)
  })

  test('when a reply changes while it is read, what was judged is what is sent', async () => {
    expect((await call('/two-faced')).status).toBe(204)
  })

  test('when the client leaves, the signal aborts and the line says so', async () => {
    const leaving = new AbortController()
    const answer = call('/gone', { signal: leaving.signal }).catch((error: Error) => error.name)
    await vi.waitFor(() => expect(seen).toEqual(['begun']))
    leaving.abort()
    expect(await answer).toBe('AbortError')
    await vi.waitFor(() => expect(seen).toEqual(['begun', 'gone: The client has gone']))
    await vi.waitFor(() => expect(logger.lines.at(-1)?.fields['status']).toBe(499))
  })

  test('when code deep inside asks, it finds the request it works for', async () => {
    const response = await call('/context', {
      headers: {
        'x-request-id': 'from-our-proxy',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
    })
    const { data } = (await response.json()) as { data: { id: string; remaining: number; traceparent: string } }
    expect(data.id).toBe('from-our-proxy')
    expect(response.headers.get('x-request-id')).toBe('from-our-proxy')
    expect(data.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
    expect(data.remaining).toBeGreaterThan(1000)
    expect(logger.lines.map(({ fields, message }) => [message, fields['requestId']])).toEqual([
      ['from deep inside', 'from-our-proxy'],
      ['request', 'from-our-proxy'],
    ])
  })

  test('when two requests are served at once, each finds its own', async () => {
    const ids = await Promise.all(
      ['aaaaaaaa', 'bbbbbbbb'].map(
        async (id) =>
          ((await (await call('/context', { headers: { 'x-request-id': id } })).json()) as { data: { id: string } })
            .data.id,
      ),
    )
    expect(ids).toEqual(['aaaaaaaa', 'bbbbbbbb'])
  })

  test.each([
    ['/me', undefined, 401],
    ['/me', 'Bearer nonsense', 401],
    ['/me', 'Bearer user-bob', 200],
    ['/me', 'Bearer broken', 500],
    ['/admin', undefined, 401],
    ['/admin', 'Bearer user-bob', 403],
    ['/admin', 'Bearer user-ann', 204],
    ['/ship', 'Bearer user-bob', 403],
    ['/ship', 'Bearer user-ann', 204],
    ['/broken-rule', 'Bearer user-ann', 403],
  ])('when %s is called with %s, the status is %i', async (path, authorization, status) => {
    const response = await call(path, authorization === undefined ? {} : { headers: { authorization } })
    expect(response.status).toBe(status)
    expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
    const known = authorization?.startsWith('Bearer user-') === true
    expect(logger.lines.at(-1)?.fields['principal']).toBe(
      known ? authorization.slice('Bearer user-'.length) : undefined,
    )
  })

  test('when the caller may not come in, the body is not even judged', async () => {
    const response = await call('/guarded', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{' })
    expect(response.status).toBe(401)
  })

  test.each([
    ['{"a":{"__proto__":{}}}', 'forbidden_key'],
    ['{"a":"\\u0000"}', 'unsafe_text'],
    [`{"a":${'['.repeat(40)}${']'.repeat(40)}}`, 'too_deep'],
  ])('when a schema takes anything, %s is still refused before it', async (body, code) => {
    const response = await call('/loose', { method: 'POST', headers: json, body })
    expect(await response.json()).toMatchObject({ status: 400, errors: [{ code }] })
  })

  test('when probes ask, they are answered and leave no line', async () => {
    expect((await call('/livez')).status).toBe(200)
    expect((await call('/readyz')).status).toBe(200)
    isUp = false
    const response = await call('/readyz')
    isUp = true
    expect(await response.json()).toMatchObject({ status: 503, code: 'lifecycle.not_ready' })
    expect((await call('/livez')).status).toBe(200)
    expect(logger.lines).toEqual([])
  })

  test('when a path is unknown, the line names it without its query', async () => {
    await call('/who-knows?token=secret')
    expect(logger.lines.map(({ fields }) => [fields['route'], fields['path'], fields['code']])).toEqual([
      [undefined, '/who-knows', 'request.not_found'],
    ])
  })

  test('when a client forges an id or an address, neither is believed', async () => {
    const response = await call('/none', {
      headers: { 'x-request-id': 'x"y', 'x-forwarded-for': '1.1.1.1, 203.0.113.9' },
    })
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(logger.lines[0]?.fields['client']).toBe('203.0.113.9')
  })
})

describe('given a route', () => {
  test('when it is explained, its chain is data in the order it runs', () => {
    const stages = http.explain('POST', '/guarded')?.stages.map(({ stage }) => stage)
    expect(stages).toEqual([
      'framing',
      'client address',
      'request id',
      'deadline',
      'headers',
      'cors',
      'authenticate',
      'access',
      'body',
      'parse',
      'handler',
      'reply',
      'log',
    ])
    expect(http.explain('GET', '/guarded')).toBeUndefined()
  })
})

describe('given a service bound to another envelope', () => {
  test('when it answers, its own format is used', async () => {
    const other = createHttp([get('/a', { access: 'public', reply: { 200: Thing } }, () => ok({ id: 1, name: 'x' }))], {
      format: ({ data }) => ({ result: data }),
    })
    const edge = await edges.express(other)
    expect(await (await fetch(`${edge.url}/a`)).json()).toEqual({ result: { id: 1, name: 'x' } })
    await edge.stop()
  })
})

describe('given a service with a clock of its own', () => {
  test('when a call has been answered, no deadline is left behind', async () => {
    const clock = createManualClock()
    const edge = await edges.express(createHttp(table, { clock, authenticate: () => undefined }))
    await fetch(`${edge.url}/context`)
    expect(clock.pending).toBe(0)
    await edge.stop()
  })
})
