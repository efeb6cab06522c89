import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { expect, vi } from 'vitest'
import type { DatabaseOptions } from '../../src/adapters/postgres/database-options.ts'
import { kill } from '../faults/processes.ts'
import type { Report } from './ledger.ts'

const file = fileURLToPath(new URL('service.child.ts', import.meta.url))
export const patience = { timeout: 15_000, interval: 20 }

export interface Answer {
  /** What came back, or the error of the socket. */
  readonly status: number | string
  readonly code: string
  readonly value: number
  /** Whoever was in line for the light pool meanwhile. */
  readonly waited: number
  readonly retryAfter: string | undefined
  readonly ms: number
}

/** A process that is started again where it died. */
export interface Service {
  readonly url: string
  readonly child: ChildProcess
  /** @param body - makes it a POST */
  call(path: string, body?: object, signal?: AbortSignal): Promise<Answer>
  report(): Promise<Report>
  /** Ends it in the middle of whatever it does, and starts another one in its place. */
  replace(): Promise<void>
  stop(): void
}

export async function startService(edge: string, options: DatabaseOptions): Promise<Service> {
  const agent = new Agent({ keepAlive: true, maxSockets: 300 })
  const start = async (): Promise<readonly [ChildProcess, string]> => {
    const child = spawn(process.execPath, [file, edge, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const url = await Promise.race([
      once(child, 'message').then(([address]) => String(address)),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`The service ended with ${String(code)}`))),
    ])
    return [child, url]
  }
  let [child, url] = await start()
  const call: Service['call'] = (path, body, signal) => ask(agent, `${url}${path}`, body, signal)
  return {
    get url() {
      return url
    },
    get child() {
      return child
    },
    call,
    async report() {
      const response = await fetch(`${url}/report`)
      return ((await response.json()) as { readonly data: Report }).data
    },
    async replace() {
      await kill(child.pid as number)
      ;[child, url] = await start()
    },
    stop() {
      agent.destroy()
      child.kill('SIGKILL')
    },
  }
}

function ask(agent: Agent, url: string, body?: object, signal?: AbortSignal): Promise<Answer> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const end = (status: number | string, text: string, retryAfter?: string): void => {
      const { code = '', data } = read(text)
      const { value = 0, waited = 0 } = data ?? {}
      resolve({ status, code, value, waited, retryAfter, ms: performance.now() - startedAt })
    }
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' }
    const method = payload === undefined ? 'GET' : 'POST'
    const sent = request(url, { agent, method, headers, ...(signal && { signal }) }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      response.once('end', () => end(response.statusCode ?? 0, text, response.headers['retry-after']))
      response.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message, ''))
    })
    sent.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message, ''))
    sent.end(payload)
  })
}

interface Body {
  readonly code?: string
  readonly data?: { readonly value?: number; readonly waited?: number }
}

function read(text: string): Body {
  try {
    return JSON.parse(text) as Body
  } catch {
    return {}
  }
}

/** Waits until no pool has anybody out or in line. */
export async function isAtRest(service: Service): Promise<Report> {
  return await vi.waitFor(async () => {
    const report = await service.report()
    for (const [name, { total, idle, waiting }] of Object.entries(report.pools)) {
      expect({ name, idle, waiting }).toEqual({ name, idle: total, waiting: 0 })
    }
    return report
  }, patience)
}

/** How often each thing was said. */
export function tally(words: Iterable<number | string>): Record<string, number> {
  const found: Record<string, number> = {}
  for (const word of words) found[word] = (found[word] ?? 0) + 1
  return found
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
