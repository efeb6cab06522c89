import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { ok } from '../../src/core/http/reply.ts'
import { get } from '../../src/core/http/route.ts'
import { exchange } from '../../src/testing/conformance/wire.ts'
import { edges, type RunningEdge } from '../edges.ts'

// node:http used to forget headers beyond the thousandth. A proxy that adds its own at the end would not be heard.

const http = createHttp(
  [get('/me', { access: 'public', reply: { 200: z.string() } }, ({ clientAddress }) => ok(clientAddress))],
  { topology: { trusted: ['127.0.0.0/8'] } },
)
const forged = 'X-Forwarded-For: 203.0.113.9\r\n'
const byProxy = 'X-Forwarded-For: 198.51.100.7\r\n'

describe.each(Object.entries(edges))('given a proxy that adds its header at the end, on %s', (_name, start) => {
  let edge: RunningEdge
  beforeAll(async () => {
    edge = await start(http)
  })
  afterAll(() => edge.stop())
  const ask = async (fillers: number) => {
    const filler = 'a:\r\n'.repeat(fillers)
    const { responses } = await exchange(
      edge.url,
      `GET /me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${forged}${filler}${byProxy}\r\n`,
    )
    return responses[0]
  }

  test.each([0, 900])('when %i other headers stand before it, the proxy is believed', async (fillers) => {
    expect(await ask(fillers)).toMatchObject({ status: 200, body: '{"data":"198.51.100.7"}' })
  })

  test.each([996, 997, 1500, 3000])(
    'when %i other headers stand before it, the request is refused',
    async (fillers) => {
      expect(await ask(fillers)).toMatchObject({ status: 431 })
    },
  )
})
