import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import type { Principal } from '../../src/core/auth/principal.ts'
import { empty, noContent } from '../../src/core/http/reply.ts'
import { post } from '../../src/core/http/route.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import type { Limiter, LimitGate } from '../../src/core/rate-limit/limiter.ts'
import type { LimitStore } from '../../src/core/rate-limit/limit-store.ts'
import { createMemoryLimitStore } from '../../src/core/rate-limit/memory-limit-store.ts'
import { edges, type RunningEdge } from '../edges.ts'

// A call that was answered is over: what was still under way for it may not change anything any more, because the client
// was told that it failed and tries again.

let handled = 0
let identified: PromiseWithResolvers<Principal>
let counted: PromiseWithResolvers<void>
const memory = createMemoryLimitStore()
const slowStore: LimitStore = {
  ...memory,
  async take(...asked) {
    await counted.promise
    return memory.take(...asked)
  },
}
const handle = () => {
  handled += 1
  return noContent()
}
const Body = z.object({ name: z.string() })
const settled: number[] = []
const watched = (limiter: Limiter): Limiter => ({
  ...limiter,
  isShared: true,
  gates: (names) =>
    limiter.gates(names).map((gate) =>
      Object.assign(Object.create(gate) as LimitGate, {
        settle(subject: string, status: number) {
          settled.push(status)
          gate.settle(subject, status)
        },
        take: (subject: string) => gate.take(subject),
      }),
    ),
})
const http = createHttp(
  [
    post('/slow-body', { access: 'public', body: Body, timeoutMs: 200, reply: { 204: empty } }, handle),
    post('/slow-token', { access: signedIn, timeoutMs: 50, reply: { 204: empty } }, handle),
    post(
      '/slow-account',
      { access: 'public', body: Body, limit: 'name', timeoutMs: 50, reply: { 204: empty } },
      handle,
    ),
  ],
  {
    authenticate: () => identified.promise,
    limiter: watched(
      createLimiter({
        store: slowStore,
        maxWaitMs: 5000,
        policies: { name: { by: { body: 'name' }, quota: 5, windowSeconds: 60, counts: 'failures' } },
      }),
    ),
  },
)

describe.each(Object.entries(edges))('given calls that are over on %s', (_name, start) => {
  let edge: RunningEdge
  beforeAll(async () => {
    edge = await start(http)
  })
  beforeEach(() => {
    handled = 0
    settled.length = 0
    identified = Promise.withResolvers()
    counted = Promise.withResolvers()
  })
  afterAll(() => edge.stop())

  test('when the rest of a body comes after its refusal, nothing is done', async () => {
    const socket = connect(Number(new URL(edge.url).port), '127.0.0.1')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => {})
    const said = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(String(bytes))))
    socket.write(
      'POST /slow-body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"name":',
    )
    expect(await said).toContain('HTTP/1.1 408 ')
    socket.end('"rope"}')
    await closed
    expect(handled).toBe(0)
  })

  test('when it is known only after the deadline who calls, nothing is done', async () => {
    const response = await fetch(`${edge.url}/slow-token`, { method: 'POST' })
    expect(response.status).toBe(504)
    identified.resolve({ id: 'u1', roles: [], permissions: [] })
    await new Promise(setImmediate)
    expect(handled).toBe(0)
  })

  test('when it is known only after the deadline that there is quota left, nothing is done or kept', async () => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${edge.url}/slow-account`, { method: 'POST', headers, body: '{"name":"rope"}' })
    expect(response.status).toBe(504)
    counted.resolve()
    await expect.poll(() => settled).toEqual([504])
    expect(handled).toBe(0)
  })
})
