import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { apiHeaders } from '../../src/adapters/helmet/security-headers.ts'
import { createAccessTokens } from '../../src/adapters/jose/access-tokens.ts'
import { createKeySet, generateKey } from '../../src/adapters/jose/key-set.ts'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { type Access, roles } from '../../src/core/auth/access.ts'
import { bearer } from '../../src/core/auth/bearer.ts'
import type { Http } from '../../src/core/http/http.ts'
import { created, ok } from '../../src/core/http/reply.ts'
import { get, post, type Route } from '../../src/core/http/route.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import { compareExchanges, type Probe, runProbe } from '../../src/testing/conformance/probe.ts'
import { conformanceProbes } from '../../src/testing/conformance/probes.ts'
import type { ConformanceTarget } from '../../src/testing/conformance/target.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import type { Exchange } from '../../src/testing/conformance/wire.ts'
import { edges, type RunningEdge } from '../edges.ts'

const Item = z.object({ name: z.string().max(80), priceCents: z.int().min(0) })
const tableFor = (access: Access): readonly Route[] => [
  get('/items', { access, reply: { 200: Item } }, () => ok({ name: 'rope', priceCents: 700 })),
  post('/orders', { access, body: Item, reply: { 201: Item } }, (call) => created('/orders/1', call.body)),
]

async function createGuardedHttp(): Promise<{ readonly http: Http; readonly authorization: string }> {
  const tokens = createAccessTokens({ issuer: 'a', audience: 'b', keys: createKeySet({ keys: [generateKey()] }) })
  const grant = { principalId: 'probe', sessionId: 'one', roles: ['prober'], permissions: [] }
  const { token } = await tokens.issue(grant)
  const http = createHttp(tableFor(roles('prober')), {
    headers: apiHeaders(),
    cors: { origins: ['https://app.example.com'], credentials: true },
    // The clock stands still, so that what is left can be told in advance.
    limiter: createLimiter({
      clock: createManualClock(),
      policies: { address: { by: 'address', quota: 1_000_000, windowSeconds: 60 } },
      everywhere: ['address'],
    }),
    authenticate: bearer(tokens),
  })
  return { http, authorization: `Bearer ${token}` }
}

describe.each(['without further layers', 'with all five layers'])('given one table %s', (layers) => {
  const running = new Map<string, RunningEdge>()
  let headers: Readonly<Record<string, string>> = {}
  beforeAll(async () => {
    let http = createHttp(tableFor('public'))
    if (layers === 'with all five layers') {
      const guarded = await createGuardedHttp()
      http = guarded.http
      headers = { authorization: guarded.authorization, origin: 'https://app.example.com' }
    }
    for (const [name, start] of Object.entries(edges)) running.set(name, await start(http))
  })
  afterAll(async () => {
    for (const edge of running.values()) await edge.stop()
  })

  const targetOf = (edge: string): ConformanceTarget => ({
    url: running.get(edge)?.url ?? '',
    readPath: '/items',
    writePath: '/orders',
    writeBody: () => ({ name: 'rope', priceCents: 700 }),
    headers,
  })

  describe.each(Object.keys(edges))('served on %s', (edge) => {
    test.each(conformanceProbes.map((probe): [string, Probe] => [probe.name, probe]))('%s', async (_name, probe) => {
      const { faults } = await runProbe(probe, targetOf(edge))
      expect(faults).toEqual([])
    })
  })

  describe('served on every edge', () => {
    test.each(conformanceProbes.map((probe): [string, Probe] => [probe.name, probe]))(
      '%s, in the same bytes',
      async (_name, probe) => {
        const said: Exchange[] = []
        for (const edge of Object.keys(edges)) said.push((await runProbe(probe, targetOf(edge))).exchange)
        const [first, ...others] = said as [Exchange, ...Exchange[]]
        for (const other of others) expect(compareExchanges(first, other)).toEqual([])
      },
    )
  })
})
