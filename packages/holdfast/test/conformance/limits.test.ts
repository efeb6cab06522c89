import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import type { Http } from '../../src/core/http/http.ts'
import { empty, noContent, ok } from '../../src/core/http/reply.ts'
import { get, post, type Route } from '../../src/core/http/route.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import { ServiceUnavailableError, UnauthorizedError } from '../../src/foundation/errors.ts'
import { createManualClock, type ManualClock } from '../../src/testing/manual-clock.ts'
import { edges, type RunningEdge } from '../edges.ts'

const Credentials = z.object({ email: z.string(), password: z.string() })
let asked = 0
let gone = false

async function whenAborted(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  gone = true
  signal.throwIfAborted()
}

const table: readonly Route[] = [
  get('/open', { access: 'public', reply: { 204: empty } }, () => noContent()),
  get('/mine', { access: signedIn, reply: { 200: z.string() } }, ({ principal }) => ok(principal.id)),
  post(
    '/login',
    { access: 'public', limit: ['login', 'account'], body: Credentials, reply: { 204: empty } },
    async ({ body, signal }) => {
      asked += 1
      if (body.password === 'slow') await whenAborted(signal)
      if (body.password === 'outage') throw new ServiceUnavailableError('db.down', 'Later.')
      if (body.password !== 'right') throw new UnauthorizedError('No.')
      return noContent()
    },
  ),
]

function build(clock: ManualClock): Http {
  const limiter = createLimiter({
    clock,
    everywhere: ['address', 'principal'],
    policies: {
      address: { by: 'address', quota: 20, windowSeconds: 60 },
      principal: { by: 'principal', quota: 5, windowSeconds: 60 },
      login: { by: 'address', quota: 10, windowSeconds: 60, counts: 'failures' },
      account: { by: { body: 'email' }, quota: 3, windowSeconds: 60, counts: 'failures' },
    },
  })
  return createHttp(table, {
    limiter,
    topology: { trusted: ['127.0.0.0/8'] },
    cors: { origins: ['https://app.example.com'] },
    authenticate: ({ authorization }) => {
      if (authorization === 'wrong') throw new UnauthorizedError('Wrong.')
      return authorization === undefined ? undefined : { id: authorization, roles: [], permissions: [] }
    },
  })
}

describe.each(Object.entries(edges))('given limits on %s', (_name, start) => {
  let edge: RunningEdge
  let clock: ManualClock
  let client = ''
  let clients = 0
  beforeAll(async () => {
    clock = createManualClock()
    edge = await start(build(clock))
  })
  afterAll(() => edge.stop())
  beforeEach(() => {
    clients += 1
    client = `203.0.113.${clients}`
    asked = 0
  })
  const call = (path: string, init: RequestInit & { readonly from?: string } = {}): Promise<Response> =>
    fetch(`${edge.url}${path}`, {
      ...init,
      headers: { 'x-forwarded-for': init.from ?? client, ...(init.headers as Record<string, string>) },
    })
  const login = (email: string, password: string, from = client): Promise<Response> =>
    call('/login', {
      method: 'POST',
      from,
      body: JSON.stringify({ email, password }),
      headers: { 'content-type': 'application/json' },
    })
  const statuses = async (calls: readonly Promise<Response>[]): Promise<Record<number, number>> => {
    const found: Record<number, number> = {}
    for (const { status } of await Promise.all(calls)) found[status] = (found[status] ?? 0) + 1
    return found
  }
  const many = (count: number, make: () => Promise<Response>): Promise<Response>[] =>
    Array.from({ length: count }, make)

  test('when a call is let in, it says what is left of each policy', async () => {
    const { headers } = await call('/mine', { headers: { authorization: `p${clients}` } })
    expect(headers.get('ratelimit-policy')).toBe('"address";q=20;w=60, "principal";q=5;w=60')
    expect(headers.get('ratelimit')).toBe('"address";r=19;t=3, "principal";r=4;t=12')
  })

  test('when 30 calls come at once, 20 are let in and the rest learn when to come back', async () => {
    expect(await statuses(many(30, () => call('/open')))).toEqual({ 204: 20, 429: 10 })
    const refused = await call('/open', { headers: { origin: 'https://app.example.com' } })
    expect(refused.headers.get('retry-after')).toBe('3')
    expect(refused.headers.get('ratelimit')).toBe('"address";r=0;t=3')
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(refused.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await refused.json()).toMatchObject({ status: 429, code: 'rate_limit.exceeded' })
    clock.advance(3000)
    expect((await call('/open')).status).toBe(204)
    expect((await call('/open')).status).toBe(429)
  })

  test('when one address is refused, its neighbour is not', async () => {
    await Promise.all(many(21, () => call('/open')))
    expect((await call('/open')).status).toBe(429)
    expect((await call('/open', { from: '198.51.100.7' })).status).toBe(204)
  })

  test('when what nobody serves is asked for, it counts too', async () => {
    expect(await statuses(many(25, () => call('/nothing')))).toEqual({ 404: 20, 429: 5 })
    expect((await call('/open', { method: 'POST' })).status).toBe(429)
  })

  test('when wrong credentials come in masses, they end as 429 before anybody looks at them', async () => {
    const wrong = { headers: { authorization: 'wrong' } }
    expect(await statuses(many(30, () => call('/mine', wrong)))).toEqual({ 401: 20, 429: 10 })
  })

  test('when browsers ask before they call, nothing is counted', async () => {
    const preflight = { origin: 'https://app.example.com', 'access-control-request-method': 'GET' }
    const asks = many(40, () => call('/open', { method: 'OPTIONS', headers: preflight }))
    expect(await statuses(asks)).toEqual({ 204: 40 })
    expect((await call('/open')).headers.get('ratelimit')).toBe('"address";r=19;t=3')
  })

  test('when one principal calls from many addresses, it is one principal', async () => {
    const headers = { authorization: `roaming${clients}` }
    const calls = Array.from({ length: 8 }, (_, at) => call('/mine', { headers, from: `198.51.100.${100 + at}` }))
    expect(await statuses(calls)).toEqual({ 200: 5, 429: 3 })
  })

  test('when one account is guessed at from many addresses at once, three guesses are judged', async () => {
    const email = `victim${clients}@example.com`
    const guesses = Array.from({ length: 12 }, (_, at) => login(email, `guess${at}`, `192.0.2.${clients * 20 + at}`))
    expect(await statuses(guesses)).toEqual({ 401: 3, 429: 9 })
    expect(asked).toBe(3)
    expect((await login(email, 'right', '192.0.2.250')).status).toBe(429)
    clock.advance(20_000)
    expect((await login(email, 'right', '192.0.2.250')).status).toBe(204)
  })

  test('when many accounts are guessed at from one address, ten guesses are judged', async () => {
    const guesses = Array.from({ length: 15 }, (_, at) => login(`user${at}-${clients}@example.com`, 'guess'))
    expect(await statuses(guesses)).toEqual({ 401: 10, 429: 5 })
  })

  test('when guesses hang up before they are answered, they count', async () => {
    const email = `hasty${clients}@example.com`
    for (let guess = 0; guess < 3; guess++) {
      const leaving = new AbortController()
      const seen = asked
      const response = call('/login', {
        method: 'POST',
        signal: leaving.signal,
        body: JSON.stringify({ email, password: 'slow' }),
        headers: { 'content-type': 'application/json' },
      })
      await expect.poll(() => asked).toBe(seen + 1)
      leaving.abort()
      await expect(response).rejects.toThrow('aborted')
      await expect.poll(() => gone).toBe(true)
      gone = false
    }
    expect((await login(email, 'right')).status).toBe(429)
  })

  test('when logins succeed or we fail, no guess is counted', async () => {
    const email = `owner${clients}@example.com`
    for (const password of ['right', 'right', 'outage', 'outage', 'right', 'right']) await login(email, password)
    const response = await login(email, 'right')
    expect(response.status).toBe(204)
    expect(response.headers.get('ratelimit')).toContain('"account";r=2')
  })
})

describe.each(Object.entries(edges))('given a limit of failures everywhere on %s', (_name, start) => {
  let edge: RunningEdge
  beforeAll(async () => {
    const limiter = createLimiter({
      everywhere: ['failed'],
      policies: { failed: { by: 'address', quota: 3, windowSeconds: 3600, counts: 'failures' } },
    })
    edge = await start(createHttp(table.slice(0, 2), { limiter, authenticate: () => undefined }))
  })
  afterAll(() => edge.stop())
  const status = async (path: string, method = 'GET'): Promise<number> =>
    (await fetch(`${edge.url}${path}`, { method })).status

  test('when nothing fails, nothing is counted; when it does, also beside the routes', async () => {
    for (let time = 0; time < 5; time++)
      expect([await status('/open'), await status('/open', 'OPTIONS')]).toEqual([204, 204])
    expect([await status('/nowhere'), await status('/mine'), await status('/open', 'PUT')]).toEqual([404, 401, 405])
    expect(await status('/open')).toBe(429)
  })
})
