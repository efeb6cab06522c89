import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { join } from 'node:path'

const command = join(import.meta.dirname, '../src/index.ts')
export const repository = join(import.meta.dirname, '../../..')

/** What a person's shell would have, and nothing of the npm that runs the tests. */
export function cleanEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_ENV$|DATABASE_|MONGODB_|REDIS_|AUTH_|SEED_|VITEST|CI$)/.test(name),
  )
  return { ...Object.fromEntries(kept), ...extra }
}

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, with nobody at the terminal. */
export function run(cwd: string, file: string, args: readonly string[], env = cleanEnvironment()): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { cwd, env, timeout: 110_000 }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    )
    child.stdin?.end()
  })
}

/** Runs create-holdfast from its sources. */
export const create = (cwd: string, ...args: string[]): Promise<Result> =>
  run(cwd, process.execPath, [command, ...args])

export const startCreating = (cwd: string, ...args: string[]): ChildProcess =>
  spawn(process.execPath, [command, ...args], { cwd, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
