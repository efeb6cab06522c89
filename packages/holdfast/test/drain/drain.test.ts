import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { edges } from '../edges.ts'

const file = fileURLToPath(new URL('service.ts', import.meta.url))
const patience = { timeout: 5000, interval: 10 }
const running: ChildProcess[] = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})

interface Service {
  readonly url: string
  readonly child: ChildProcess
  readonly output: () => string
  readonly exited: Promise<readonly [code: unknown, signal: unknown]>
}

async function startService(edge: string, ...limits: number[]): Promise<Service> {
  const child = spawn(process.execPath, [file, edge, ...limits.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(child)
  const exited = once(child, 'exit').then(([code, signal]) => [code, signal] as const)
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  while (!output.includes('\n')) await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), exited])
  const url = /listening (\S+)/.exec(output)?.[1] ?? ''
  return { url, child, output: () => output, exited }
}

/** @returns the status, or the error's code */
function call(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(url, { agent }, (response) => {
      response.resume().once('end', () => resolve(String(response.statusCode)))
    })
    sent.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sent.end()
  })
}

/** Calls over kept connections as fast as it can, and like a balancer stops when readiness is gone. */
async function loadUntilNotReady(url: string, connections: number): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>()
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const balancer = { isReady: true }
  const watch = async (): Promise<void> => {
    const probing = new Agent()
    while (balancer.isReady) {
      balancer.isReady = (await call(`${url}/readyz`, probing)) === '200'
      await sleep(20)
    }
  }
  const work = async (): Promise<void> => {
    while (balancer.isReady) {
      const outcome = await call(`${url}/fast`, agent)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
  }
  await Promise.all([watch(), ...Array.from({ length: connections }, work)])
  agent.destroy()
  return outcomes
}

describe.each(Object.keys(edges))('given a service on %s', (edge) => {
  test('when SIGTERM comes in the middle of a slow call under load over kept connections, no call fails and the process exits with 0', async () => {
    const { url, child, exited, output } = await startService(edge)
    const slow = call(`${url}/slow`, new Agent({ keepAlive: true }))
    const load = loadUntilNotReady(url, 20)
    await vi.waitFor(() => expect(output()).toContain('slow begun'), patience)
    child.kill('SIGTERM')
    const outcomes = await load
    expect([...outcomes.keys()]).toEqual(['204'])
    expect(outcomes.get('204')).toBeGreaterThan(20)
    expect(await slow).toBe('204')
    expect(await exited).toEqual([0, null])
    expect(output()).toContain('disposed')
  })

  test('when it drains, probes and calls are still answered, each ending its connection', async () => {
    const { url, child, exited } = await startService(edge, 1000)
    child.kill('SIGTERM')
    const ready = await vi.waitFor(async () => {
      const response = await fetch(`${url}/readyz`)
      expect(response.status).toBe(503)
      return response
    }, patience)
    const live = await fetch(`${url}/livez`)
    const fast = await fetch(`${url}/fast`)
    expect([ready.status, live.status, fast.status]).toEqual([503, 200, 204])
    expect([ready, live, fast].map(({ headers }) => headers.get('connection'))).toEqual(['close', 'close', 'close'])
    expect(await exited).toEqual([0, null])
  })

  test('when a call was in flight before it drains, its reply ends the connection too', async () => {
    const { url, child, exited, output } = await startService(edge)
    const slow = fetch(`${url}/slow`)
    await vi.waitFor(() => expect(output()).toContain('slow begun'), patience)
    child.kill('SIGTERM')
    expect((await slow).headers.get('connection')).toBe('close')
    expect(await exited).toEqual([0, null])
  })

  test('when idle, silent and half-spoken connections are open, they do not hold it', async () => {
    const { url, child, exited } = await startService(edge, 0, 5000)
    const { hostname, port } = new URL(url)
    const idle = new Agent({ keepAlive: true })
    await call(`${url}/fast`, idle)
    const silent = connect(Number(port), hostname)
    const halfSpoken = connect(Number(port), hostname, () => halfSpoken.write('GET /fast HT'))
    for (const socket of [silent, halfSpoken]) {
      socket.on('error', () => {})
      await once(socket, 'connect')
    }
    child.kill('SIGTERM')
    // Held by any of them, it would run into the stop timeout and exit with 1.
    expect(await exited).toEqual([0, null])
    idle.destroy()
  })

  test('when a call outlives the stop timeout, it is cut and the exit code says so', async () => {
    const { url, child, exited, output } = await startService(edge, 0, 200)
    const slow = call(`${url}/slow`, new Agent())
    await vi.waitFor(() => expect(output()).toContain('slow begun'), patience)
    child.kill('SIGTERM')
    expect(await slow).toBe('ECONNRESET')
    expect(await exited).toEqual([1, null])
    expect(output()).toContain('disposed')
  })

  test('when a second signal comes, it exits at once', async () => {
    const { url, child, exited } = await startService(edge, 10_000)
    child.kill('SIGTERM')
    await vi.waitFor(async () => expect((await fetch(`${url}/readyz`)).status).toBe(503), patience)
    // Two signals of one key press come together; only one that comes later means "now".
    await sleep(100)
    child.kill('SIGTERM')
    expect(await exited).toEqual([143, null])
  })
})
