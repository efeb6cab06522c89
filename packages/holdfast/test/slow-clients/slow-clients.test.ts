import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import { ok } from '../../src/core/http/reply.ts'
import { get, post } from '../../src/core/http/route.ts'
import type { LogFields } from '../../src/foundation/logger.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import { edges, type RunningEdge } from '../edges.ts'
import type { Condition } from '../fuzz/service.child.ts'
import { Dial, pause } from './dial.ts'

const limits = { headersTimeoutMs: 300, requestTimeoutMs: 450, keepAliveTimeoutMs: 200, stallTimeoutMs: 300 }

const logger = createRecordingLogger()
const records = logger.lines
const troubles = (): readonly unknown[] => records.filter(({ level }) => level === 'error' || level === 'fatal')
const lines = (): readonly LogFields[] => records.map(({ fields }) => fields).filter((fields) => 'ms' in fields)

const Name = z.object({ name: z.string() })
const Text = z.object({ text: z.string() })
let handled = 0
let aborted: unknown
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      aborted = signal.reason
      resolve()
    })
  })

const http = createHttp(
  [
    get('/items', { access: 'public', reply: { 200: Name } }, () => ok({ name: 'rope' })),
    get('/slowly', { access: 'public', reply: { 200: Name } }, async () => {
      await pause(80)
      return ok({ name: 'slow rope' })
    }),
    get('/stops', { access: 'public', reply: { 200: Name } }, async (call) => {
      await untilAborted(call.signal)
      call.signal.throwIfAborted()
      return ok({ name: 'never' })
    }),
    get('/fails-late', { access: 'public', timeoutMs: 150, reply: { 200: Name } }, async (call) => {
      await untilAborted(call.signal)
      await pause(30)
      throw new Error('a query was cancelled')
    }),
    get('/large', { access: 'public', reply: { 200: Text } }, () => ok({ text: 'x'.repeat(20_000_000) })),
    post('/orders', { access: 'public', body: Name, reply: { 200: Name } }, (call) => {
      handled++
      return ok(call.body)
    }),
    post('/hurried', { access: 'public', timeoutMs: 150, body: Name, reply: { 200: Name } }, (call) => ok(call.body)),
    post('/mine', { access: signedIn, body: Name, reply: { 200: Name } }, (call) => ok(call.body)),
  ],
  { logger, authenticate: () => undefined },
)

const head = (line: string, headers: readonly string[] = []): string =>
  `${line} HTTP/1.1\r\n${['Host: a', ...headers].join('\r\n')}\r\n\r\n`
const json = 'Content-Type: application/json'
const tenMegabytes = `{"name":"${'x'.repeat(10_000_000)}"}`
const asChunks = (text: string): string => {
  const parts = text.match(/[^]{1,60000}/g) ?? []
  return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
}

describe.each(Object.entries(edges))('given a service with short limits on %s', (edgeName, start) => {
  let edge: RunningEdge
  const dials: Dial[] = []
  const dial = async (reads = true): Promise<Dial> => {
    const one = await Dial.to(edge.url, reads)
    dials.push(one)
    return one
  }
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) =>
      edge.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )

  const allClosed = async (withinMs: number): Promise<void> => {
    const until = performance.now() + withinMs
    while ((await connections()) > 0) {
      if (performance.now() > until) throw new Error(`${await connections()} connections are still open`)
      await pause(20)
    }
  }

  beforeAll(async () => {
    edge = await start(http, limits)
  })
  beforeEach(() => {
    records.length = 0
    handled = 0
    aborted = undefined
  })
  // Nobody hangs up but the server: what is open after the test was forgotten by it.
  afterEach(async () => {
    try {
      await allClosed(4000)
    } finally {
      for (const one of dials.splice(0)) one.socket.destroy()
    }
  })
  afterAll(() => edge.stop())

  test('when headers dribble in, 408 ends it', async () => {
    const client = await dial()
    await client.drip(head('GET /items', [`X-Slow: ${'a'.repeat(100)}`]), 1, 10)
    await client.closed
    expect(client.statuses).toEqual([408])
    expect(client.received).toContain('"code":"request.too_slow"')
  })

  test('when a client says nothing at all, it is let go', async () => {
    const client = await dial()
    await client.closed
    expect(client.error).toBe(undefined)
    expect(client.statuses).toEqual([408])
  })

  test('when a hundred clients say nothing at all, all are let go', async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => dial()))
    await expect.poll(connections, { interval: 5 }).toBe(100)
    await Promise.all(clients.map((client) => client.closed))
  })

  test('when a client stays after its reply without another word, it is let go', async () => {
    const client = await dial()
    client.socket.write(head('GET /items'))
    await client.closed
    expect(client.statuses).toEqual([200])
  })

  test('when a body dribbles in, 408 ends it and no handler sees it', async () => {
    const client = await dial()
    client.socket.write(head('POST /orders', [json, 'Content-Length: 100']))
    await client.drip('{"name":"'.padEnd(100, 'x'), 1, 10)
    await client.closed
    expect(client.statuses).toEqual([408])
    expect(client.error).toBe(undefined)
    expect(handled).toBe(0)
    expect(troubles()).toEqual([])
  })

  test('when a body dribbles in beyond the deadline of its route, the client is the one who was slow', async () => {
    const client = await dial()
    client.socket.write(head('POST /hurried', [json, 'Content-Length: 100']))
    await client.drip('{"name":"'.padEnd(60, 'x'), 1, 10)
    await client.closed
    expect(client.statuses).toEqual([408])
    expect(troubles()).toEqual([])
    expect(lines()).toMatchObject([{ route: '/hurried' }])
    expect(lines()[0]?.['status']).toBeLessThan(500)
  })

  test('when chunks dribble in, 408 ends it', async () => {
    const client = await dial()
    client.socket.write(head('POST /orders', [json, 'Transfer-Encoding: chunked']))
    await client.drip('1\r\n{\r\n'.repeat(20), 3, 15)
    await client.closed
    expect(client.statuses).toEqual([408])
  })

  test('when a client stops sending in the middle of the head, it gets its 400', async () => {
    const client = await dial()
    client.socket.end('GET /items HTTP/1.1\r\nHos')
    await client.closed
    expect(client.statuses).toEqual([400])
  })

  test('when a client stops sending in the middle of the body, no handler sees it', async () => {
    const client = await dial()
    client.socket.end(`${head('POST /orders', [json, 'Content-Length: 100'])}{"name"`)
    await client.closed
    expect(handled).toBe(0)
    expect(troubles()).toEqual([])
  })

  test("when a client hangs up in the middle of the body, it is nobody's defect", async () => {
    const client = await dial()
    client.socket.write(`${head('POST /orders', [json, 'Content-Length: 100'])}{"name"`)
    await pause(30)
    client.socket.resetAndDestroy()
    await expect.poll(lines).toHaveLength(1)
    expect(lines()[0]).toMatchObject({ route: '/orders', status: 499 })
    expect(handled).toBe(0)
    expect(troubles()).toEqual([])
  })

  test.each(['resetAndDestroy', 'destroy'] as const)(
    'when a client hangs up with %s while a handler works, its signal aborts and nothing is a defect',
    async (leave) => {
      const client = await dial()
      client.socket.write(head('GET /stops'))
      await pause(30)
      client.socket[leave]()
      await expect.poll(lines).toHaveLength(1)
      expect(aborted).toBeInstanceOf(Error)
      expect(lines()[0]).toMatchObject({ route: '/stops', status: 499 })
      expect(troubles()).toEqual([])
    },
  )

  test('when a handler fails after its deadline, the client has its 504 and the log a warning', async () => {
    const client = await dial()
    client.socket.write(head('GET /fails-late', ['Connection: close']))
    await client.closed
    await pause(60)
    expect(client.statuses).toEqual([504])
    expect(aborted).toBeInstanceOf(Error)
    expect(troubles()).toEqual([])
    expect(records.filter(({ level }) => level === 'warn').length).toBeGreaterThan(1)
  })

  test('when a client reads slowly, it still gets all', async () => {
    const client = await dial(false)
    let bytes = 0
    client.socket.write(head('GET /large', ['Connection: close']))
    await pause(300)
    client.socket.on('data', (chunk) => (bytes += chunk.byteLength))
    client.socket.on('end', () => client.socket.end())
    await client.closed
    expect(bytes).toBeGreaterThan(20_000_000)
  })

  describe.each([
    [
      'a body beyond the limit',
      413,
      head('POST /orders', [json, `Content-Length: ${tenMegabytes.length}`]) + tenMegabytes,
    ],
    [
      'a body that grows beyond the limit',
      413,
      head('POST /orders', [json, 'Transfer-Encoding: chunked']) + asChunks(tenMegabytes),
    ],
    ['a body from nobody', 401, head('POST /mine', [json, `Content-Length: ${tenMegabytes.length}`]) + tenMegabytes],
    [
      'a body of the wrong type',
      415,
      head('POST /orders', ['Content-Type: text/plain', `Content-Length: ${tenMegabytes.length}`]) + tenMegabytes,
    ],
    ['a body to nowhere', 404, head('POST /nowhere', [json, `Content-Length: ${tenMegabytes.length}`]) + tenMegabytes],
    [
      'a body announced and sent without waiting',
      413,
      head('POST /orders', [json, `Content-Length: ${tenMegabytes.length}`, 'Expect: 100-continue']) + tenMegabytes,
    ],
    [
      'a body from nobody, announced and sent without waiting',
      401,
      head('POST /mine', [json, `Content-Length: ${tenMegabytes.length}`, 'Expect: 100-continue']) + tenMegabytes,
    ],
    [
      'a megabyte of headers',
      431,
      head(
        'GET /items',
        Array.from({ length: 10_000 }, (_, at) => `X-${at}: ${'a'.repeat(90)}`),
      ),
    ],
    ['ten megabytes that are no HTTP', 400, '\u0016\u0003\u0001'.repeat(3_000_000)],
    [
      'ten megabytes behind a broken chunk',
      400,
      `${head('POST /orders', [json, 'Transfer-Encoding: chunked'])}zz\r\n${tenMegabytes}`,
    ],
  ])('when it sends %s before it reads', (_name, status, bytes) => {
    test(`it can read its ${status}`, async () => {
      const client = await dial()
      await client.pour(bytes)
      await client.closed
      expect(client.statuses).toEqual([status])
      expect(client.received).toMatch(/\}$/)
      expect(troubles()).toEqual([])
    })
  })

  test('when HTTP/1.0 expects 100 Continue, none comes', async () => {
    const client = await dial()
    const body = '{"name":"rope"}'
    client.socket.write(
      `${head('POST /orders', [json, `Content-Length: ${body.length}`, 'Expect: 100-continue']).replace('1.1', '1.0')}${body}`,
    )
    await client.closed
    expect(client.statuses).toEqual([200])
  })

  test('when an unknown expectation stands behind a slow call, both get their replies in order', async () => {
    const client = await dial()
    client.socket.write(head('GET /slowly') + head('GET /items', ['Expect: miracles']))
    await Promise.race([client.closed, pause(1000)])
    client.socket.end()
    expect(client.statuses).toEqual([200, 417])
  })

  test('when something that is no request stands behind a slow call, the call gets its own reply first', async () => {
    const client = await dial()
    client.socket.write(`${head('GET /slowly')}nonsense\r\n\r\n`)
    await client.closed
    expect(client.statuses).toEqual([200, 400])
  })

  test('when a client never reads its reply, it is let go', async () => {
    const client = await dial(false)
    client.socket.write(head('GET /large'))
    try {
      // Asked of the server: a client that reads nothing does not notice the end either.
      await allClosed(1500)
      expect(await connections()).toBe(0)
    } finally {
      client.socket.destroy()
    }
  })

  test('when clients ask for a tunnel and reset, the process outlives them', async () => {
    const child = fork(fileURLToPath(new URL('../fuzz/service.child.ts', import.meta.url)), [edgeName], {
      execArgv: [],
    })
    try {
      const [{ url }] = (await once(child, 'message')) as [{ url: string }]
      for (let round = 0; round < 20; round++) {
        const client = await Dial.to(url)
        client.socket.write(head('CONNECT a:443'))
        await pause(round % 4)
        client.socket.resetAndDestroy()
      }
      await pause(50)
      child.send('how are you')
      const [{ escaped }] = (await once(child, 'message')) as [Condition]
      expect(escaped).toEqual([])
    } finally {
      child.disconnect()
    }
  })
})
