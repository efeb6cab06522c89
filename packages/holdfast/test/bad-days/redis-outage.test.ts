import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type EmbeddedRedis, startEmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { edges } from '../edges.ts'
import { freeze, kill, thaw } from '../faults/processes.ts'
import { type FaultProxy, startProxy } from '../faults/proxy.ts'

// Two processes of a service behind no balancer, under load, while the Redis of their limits has a bad day.

const file = fileURLToPath(new URL('service.child.ts', import.meta.url))
// Longer than the default, so that on a busy machine nothing but the fault makes a call wait.
const maxWaitMs = 400
const connections = 10
const patience = { timeout: 15_000, interval: 20 }

interface Answer {
  readonly status: string
  readonly isShared: boolean
  readonly startedAt: number
  readonly ms: number
}

const agent = new Agent({ keepAlive: true, maxSockets: 2 * connections })

function call(url: string, authorization: string): Promise<Answer> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const answer = (status: string, body: string): void =>
      resolve({ status, isShared: body.includes('true'), startedAt, ms: performance.now() - startedAt })
    const sent = request(url, { agent, headers: { authorization } }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.once('end', () => answer(String(response.statusCode), body))
    })
    sent.once('error', (error: NodeJS.ErrnoException) => answer(error.code ?? error.message, ''))
    sent.end()
  })
}

/** Calls over kept connections as fast as it can, until told to stop. */
function load(urls: readonly string[]): { readonly answers: Answer[]; readonly stop: () => Promise<void> } {
  const answers: Answer[] = []
  const state = { isOn: true }
  const work = async (url: string, at: number): Promise<void> => {
    while (state.isOn) answers.push(await call(`${url}/work`, `busy${at % 3}`))
  }
  const working = urls.flatMap((url) => Array.from({ length: connections }, (_, at) => work(url, at)))
  return {
    answers,
    async stop() {
      state.isOn = false
      await Promise.all(working)
    },
  }
}

interface Fault {
  readonly name: string
  readonly strike: () => Promise<void> | void
  readonly heal: () => Promise<void> | void
}

const count = (answers: readonly Answer[]): Record<string, number> => {
  const found: Record<string, number> = {}
  for (const { status } of answers) found[status] = (found[status] ?? 0) + 1
  return found
}

describe.each(Object.keys(edges))('given two processes on %s whose limits are in one Redis', (edge) => {
  let server: EmbeddedRedis
  let proxy: FaultProxy
  const children: ChildProcess[] = []
  let urls: string[] = []

  async function startServer(again?: { port: number; password: string }): Promise<EmbeddedRedis> {
    const started = await startEmbeddedRedis(again)
    if (started === undefined) throw new Error('There is no redis-server on PATH')
    return started
  }

  beforeAll(async () => {
    server = await startServer()
    proxy = await startProxy(server.port)
    const redisUrl = `redis://:${new URL(server.url).password}@127.0.0.1:${proxy.port}`
    for (let at = 0; at < 2; at++) {
      children.push(
        spawn(process.execPath, [file, edge, redisUrl, String(maxWaitMs)], {
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        }),
      )
    }
    urls = await Promise.all(children.map(async (child) => String((await once(child, 'message'))[0])))
  })
  afterEach(async () => {
    await vi.waitUntil(() => areShared(), patience)
  })
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL')
    await proxy.stop()
    await server.stop()
  })

  const areShared = async (): Promise<boolean> => {
    const answers = await Promise.all(urls.map((url) => call(`${url}/work`, 'asking')))
    return answers.every(({ isShared }) => isShared)
  }

  test('when 200 calls of one principal come at once to both, the limit lets in what it says', async () => {
    const begun = performance.now()
    const calls = Array.from({ length: 200 }, (_, at) => call(`${urls[at % 2]}/tight`, 'greedy'))
    const outcome = count(await Promise.all(calls))
    const earned = Math.ceil((performance.now() - begun) / 1000)
    console.log(`${edge}: of 200 calls at once to two processes, limit 60: ${JSON.stringify(outcome)}`)
    expect(Object.keys(outcome).toSorted()).toEqual(['200', '429'])
    expect(outcome['200']).toBeGreaterThanOrEqual(60)
    expect(outcome['200']).toBeLessThanOrEqual(60 + earned)
  })

  const faults: readonly Fault[] = [
    { name: 'frozen', strike: () => freeze(server.pid), heal: () => thaw(server.pid) },
    { name: 'behind a black hole', strike: () => proxy.blackhole(), heal: () => proxy.pass() },
    {
      name: 'killed and started again',
      strike: () => kill(server.pid),
      heal: async () => {
        server = await startServer({ port: server.port, password: new URL(server.url).password })
      },
    },
  ]

  test.each(faults)(
    'when Redis is $name under load, no call fails and each waits once at most',
    async ({ name, strike, heal }) => {
      const { answers, stop } = load(urls)
      await expect.poll(() => answers.length, patience).toBeGreaterThan(100)
      const struckAt = performance.now()
      await strike()
      await expect
        .poll(() => answers.some(({ isShared, status }) => status === '200' && !isShared), patience)
        .toBe(true)
      // Long enough for the store to be tried again, beside the calls, several times.
      const settledAt = performance.now()
      await expect.poll(() => performance.now() - settledAt, patience).toBeGreaterThan(1200)
      const settledUntil = performance.now()
      await heal()
      await expect.poll(() => answers.at(-1)?.isShared, patience).toBe(true)
      await stop()

      const struck = answers.filter(({ startedAt, ms }) => startedAt + ms >= struckAt)
      const waited = struck.filter(({ ms }) => ms > maxWaitMs * 0.9)
      const longest = Math.max(...struck.map(({ ms }) => ms))
      console.log(
        `${edge}: Redis ${name}: ${JSON.stringify(count(answers))}, ${waited.length} waited, longest ${longest.toFixed(0)} ms`,
      )
      // 429 is no failure, but the limit is far away.
      expect(count(answers)).toEqual({ 200: answers.length })
      // Those in flight when it happened; whoever came later was decided at once.
      expect(waited.length).toBeLessThanOrEqual(2 * 2 * connections)
      const late = waited.filter(({ startedAt }) => startedAt > settledAt && startedAt < settledUntil)
      expect(late).toEqual([])
    },
  )

  test('when Redis is gone, each process still limits by itself', async () => {
    await proxy.refuse()
    proxy.reset()
    await expect.poll(async () => !(await areShared()), patience).toBe(true)
    const begun = performance.now()
    const calls = Array.from({ length: 300 }, (_, at) => call(`${urls[at % 2]}/tight`, 'greedier'))
    const outcome = count(await Promise.all(calls))
    const earned = 2 * Math.ceil((performance.now() - begun) / 1000)
    console.log(`${edge}: without Redis, of 300 calls to two processes, limit 60 each: ${JSON.stringify(outcome)}`)
    expect(Object.keys(outcome).toSorted()).toEqual(['200', '429'])
    expect(outcome['200']).toBeLessThanOrEqual(2 * 60 + earned)
    await proxy.pass()
  })
})
