import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { created, ok } from '../../src/core/http/reply.ts'
import { get, post } from '../../src/core/http/route.ts'
import { compareExchanges, type Probe, runProbe } from '../../src/testing/conformance/probe.ts'
import { conformanceProbes } from '../../src/testing/conformance/probes.ts'
import type { ConformanceTarget } from '../../src/testing/conformance/target.ts'
import type { Exchange } from '../../src/testing/conformance/wire.ts'
import { edges, type RunningEdge } from '../edges.ts'

const Item = z.object({ name: z.string().max(80), priceCents: z.int().min(0) })
const http = createHttp([
  get('/items', { access: 'public', reply: { 200: Item } }, () => ok({ name: 'rope', priceCents: 700 })),
  post('/orders', { access: 'public', body: Item, reply: { 201: Item } }, (call) => created('/orders/1', call.body)),
])

const running = new Map<string, RunningEdge>()
beforeAll(async () => {
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
})

describe.each(Object.keys(edges))('given a service on %s', (edge) => {
  test.each(conformanceProbes.map((probe): [string, Probe] => [probe.name, probe]))('%s', async (_name, probe) => {
    const { faults } = await runProbe(probe, targetOf(edge))
    expect(faults).toEqual([])
  })
})

describe('given one service on every edge', () => {
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
