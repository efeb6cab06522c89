// Accident: the demo fills the database that DATABASE_URL of this shell points at, which was not a demo's.

import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Stop } from './demo-stop.ts'

export interface DemoOptions {
  readonly edge: 'fastify' | 'express'
  /** Folder of all demos. */
  readonly into: string
  /** Absent: 3000, or the next one that is free. */
  readonly port: number | undefined
}

const firstPort = 3000
const triedPorts = 20

/** @throws {Stop} when the one asked for, or each of those tried, is taken */
export async function choosePort(asked: number | undefined): Promise<number> {
  if (asked !== undefined) {
    if (await isFree(asked)) return asked
    throw new Stop(`Port ${asked} is taken. Choose another: npm start -- --port ${asked + 1}`)
  }
  for (let port = firstPort; port < firstPort + triedPorts; port += 1) {
    if (!(await isFree(port))) continue
    if (port !== firstPort) console.log(`Port ${firstPort} is taken; this one is ${port}`)
    return port
  }
  throw new Stop(
    `The ports ${firstPort} to ${firstPort + triedPorts - 1} are taken. Choose one: npm start -- --port 4000`,
  )
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

// Settings of the service that a shell may hold for another one.
const foreign = /^(AUTH|CORS|DATABASE|LIMIT|REDIS|SEED|SESSION)_/

/** The defaults of the service and nothing of this shell: a demo must not write to somebody's database. */
export function demoEnvironment(port?: number): NodeJS.ProcessEnv {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
  return { ...env, NODE_ENV: 'development', HOST: '127.0.0.1', ...(port === undefined ? {} : { PORT: String(port) }) }
}

interface Service {
  readonly folder: string
  readonly port: number
  readonly signal: AbortSignal
  readonly onReady: (url: string) => Promise<void>
}

const readyMs = 60_000
const stopMs = 30_000

/** Runs the service until it or somebody ends it. @returns its exit code */
export async function serveDemo({ folder, port, signal, onReady }: Service): Promise<number> {
  signal.throwIfAborted()
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: folder,
    env: demoEnvironment(port),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = new Promise<number>((resolve) => {
    child.once('error', () => resolve(1))
    child.once('exit', (code) => resolve(code ?? 1))
  })
  // Each wish to stop is passed on: the first one drains, who presses Ctrl-C again does not want to wait.
  const stop = (): void => {
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), stopMs).unref()
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop)

  const url = `http://127.0.0.1:${port}`
  const first = await Promise.race([ended, becomesReady(url, signal)])
  if (first === 'ready') await onReady(url)
  if (first === 'late') {
    stop()
    await ended
    throw new Stop(`The service was not ready within ${readyMs / 1000} s; its words are above.`)
  }
  return ended
}

async function becomesReady(url: string, signal: AbortSignal): Promise<'ready' | 'late' | 'interrupted'> {
  const endsAt = performance.now() + readyMs
  while (performance.now() < endsAt) {
    if (signal.aborted) return 'interrupted'
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
    if (response?.ok) return 'ready'
    await pause(50)
  }
  return 'late'
}
