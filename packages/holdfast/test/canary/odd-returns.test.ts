import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import type { Authenticate } from '../../src/core/auth/principal.ts'
import { ok, type Reply } from '../../src/core/http/reply.ts'
import { get } from '../../src/core/http/route.ts'
import { exchange } from '../../src/testing/conformance/wire.ts'
import { edges, type RunningEdge } from '../edges.ts'

/** A thenable that calls back later and gives nothing to wait for, as no promise would. */
const forgetful = <T>(value: T): Promise<T> =>
  ({ then: (resolve: (settled: T) => void) => void setTimeout(resolve, 5, value) }) as unknown as Promise<T>
const broken = {
  then() {
    throw new Error('no')
  },
} as unknown as Promise<Reply<200>>

const authenticate: Authenticate = () => forgetful(undefined)
const reply = { 200: z.any() }
const http = createHttp(
  [
    get('/closed', { access: signedIn, reply }, () => ok('opened')),
    get('/undefined', { access: 'public', reply }, () => ok(undefined)),
    get('/function', { access: 'public', reply }, () => ok(() => 1)),
    get('/forgetful', { access: 'public', reply }, () => forgetful(ok('late'))),
    get('/broken', { access: 'public', reply }, () => broken),
  ],
  { authenticate },
)

describe.each(Object.entries(edges))('given code that returns what its types forbid, on %s', (_name, start) => {
  let edge: RunningEdge
  beforeAll(async () => {
    edge = await start(http)
  })
  afterAll(() => edge.stop())

  const ask = async (target: string): Promise<{ readonly status: number; readonly body: string } | undefined> => {
    const request = `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
    return (await exchange(edge.url, request, { timeoutMs: 1000 })).responses[0]
  }

  test('when authentication gives a thenable that returns nothing, nobody is let in', async () => {
    const refused = await ask('/closed')
    expect(refused?.body).not.toContain('opened')
    expect(refused?.status).toBe(401)
  })

  test('when a handler gives such a thenable, its reply is waited for', async () => {
    expect(await ask('/forgetful')).toMatchObject({ status: 200, body: '{"data":"late"}' })
  })

  test('when a handler gives a thenable that throws, it is a defect', async () => {
    expect((await ask('/broken'))?.status).toBe(500)
  })

  test.each(['/undefined', '/function'])('when %s is not for JSON, no broken JSON leaves', async (target) => {
    const said = await ask(target)
    expect(said?.status).toBe(500)
    expect(JSON.parse(said?.body ?? '')).toMatchObject({ code: 'internal' })
  })

  test('when * is asked for by another method than OPTIONS, there is nothing', async () => {
    expect((await ask('*'))?.status).toBe(404)
  })
})
