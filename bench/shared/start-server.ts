import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Meter } from './load.ts'

export interface Contender {
  readonly name: string
  /** Below `servers/`, without its `.ts`. */
  readonly file: string
  readonly env?: Readonly<Record<string, string>>
}

export interface BenchServer extends Meter {
  readonly name: string
  readonly url: string
  /** Asks the process itself; see `servers/answer-bench.ts`. */
  ask(question: 'cpu' | 'profile' | 'profiled'): Promise<unknown>
  readLog(): string
  /** Forgets what it logged so far, which is much. */
  clearLog(): void
  stop(): void
}

const taskset = '/usr/bin/taskset'
// Before anything is pinned: afterwards there are fewer.
const cores = availableParallelism()
const canPin = cores > 1 && mayUseFirstCore()

function mayUseFirstCore(): boolean {
  try {
    execFileSync(taskset, ['-c', '0', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Leaves the first core to the servers. Call it before anything is started that is not one, such as Redis. */
export function keepOffServersCore(): void {
  if (!canPin) return
  execFileSync(taskset, ['-a', '-p', '-c', `1-${cores - 1}`, String(process.pid)], { stdio: 'ignore' })
}

/** Starts a contender on a core that the load does not use, where the system can pin. It logs into a file. */
export async function startServer({ name, file, env }: Contender): Promise<BenchServer> {
  const port = await freePort()
  const script = fileURLToPath(new URL(`../servers/${file}.ts`, import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const log = join(folder, 'log')
  const node = [process.execPath, script] as const
  const [command, ...args] = canPin ? [taskset, '-c', '0', ...node] : node
  const child = spawn(command, args, {
    env: { ...process.env, ...env, PORT: String(port), NODE_ENV: 'production' },
    stdio: ['ignore', openSync(log, 'a'), 'inherit', 'ipc'],
  })
  const url = `http://127.0.0.1:${port}`
  const stop = (): void => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await answering(url, child)
  } catch (error) {
    stop()
    throw error
  }
  const ask = (question: string): Promise<unknown> => askChild(child, question)
  return {
    name,
    url,
    ask,
    cpuMicros: async () => {
      const { user, system } = (await ask('cpu')) as NodeJS.CpuUsage
      return user + system
    },
    readLog: () => readFileSync(log, 'utf8'),
    clearLog: () => truncateSync(log),
    stop,
  }
}

function askChild(child: ChildProcess, question: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`A server ended with ${code} under load`))
    child.once('exit', onExit)
    child.once('message', (answer) => {
      child.off('exit', onExit)
      resolve(answer)
    })
    child.send(question)
  })
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (child.exitCode !== null) throw new Error(`The server for ${url} ended with ${child.exitCode}`)
    try {
      await fetch(`${url}/ping`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`Nothing answers at ${url} after 20 s`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
