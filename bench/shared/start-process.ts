import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
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

export interface BenchProcess extends Meter {
  readonly name: string
  /** Asks the process itself; see `servers/answer-bench.ts`. */
  ask(question: 'cpu' | 'profile' | 'profiled' | 'run', argument?: unknown): Promise<unknown>
  /** Missing while it runs. */
  exitCode(): number | null
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

/** Leaves the first core to the contenders. Call it before anything is started that is none, such as Redis. */
export function keepOffServersCore(): void {
  if (!canPin) return
  execFileSync(taskset, ['-a', '-p', '-c', `1-${cores - 1}`, String(process.pid)], { stdio: 'ignore' })
}

/** Starts a contender on a core that the load does not use, where the system can pin. It logs into a file. */
export function startProcess({ name, file, env }: Contender): BenchProcess {
  const script = fileURLToPath(new URL(`../servers/${file}.ts`, import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const log = join(folder, 'log')
  const node = [process.execPath, script] as const
  const [command, ...args] = canPin ? [taskset, '-c', '0', ...node] : node
  const child = spawn(command, args, {
    env: { ...process.env, ...env, NODE_ENV: 'production' },
    stdio: ['ignore', openSync(log, 'a'), 'inherit', 'ipc'],
  })
  const ask = (question: string, argument?: unknown): Promise<unknown> => askChild(child, { question, argument })
  return {
    name,
    ask,
    cpuMicros: async () => {
      const { user, system } = (await ask('cpu')) as NodeJS.CpuUsage
      return user + system
    },
    exitCode: () => child.exitCode,
    readLog: () => readFileSync(log, 'utf8'),
    clearLog: () => truncateSync(log),
    stop() {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function askChild(child: ChildProcess, message: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`A contender ended with ${code} under load`))
    child.once('exit', onExit)
    child.once('message', (answer) => {
      child.off('exit', onExit)
      resolve(answer)
    })
    child.send(message)
  })
}
