// Accident: one step of many hangs, for ever and silently; or it fails, and its words scrolled away long before.

import { spawn } from 'node:child_process'
import { Stop } from './demo-stop.ts'

export interface Step {
  /** What the person reads while it runs. */
  readonly title: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const leaveMs = 5000

/**
 * Runs one step quietly; its output is shown when it fails.
 * @throws {Stop} when it fails or takes too long; the reason of `signal` when that aborts, after the step has ended
 */
export async function runStep({ title, command, args, cwd, env, timeoutMs, signal }: Step): Promise<void> {
  signal.throwIfAborted()
  const startedAt = performance.now()
  process.stdout.write(`${title} … `)
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const { code, output } = await runQuietly(command, args, { cwd, env: env ?? process.env }, bounded)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(code === 0 ? `${seconds} s` : signal.aborted ? 'interrupted' : 'failed')
  signal.throwIfAborted()
  if (code === 0) return
  process.stderr.write(output)
  const why = bounded.aborted ? `did not end within ${timeoutMs / 1000} s` : `ended with ${code}`
  throw new Stop(
    `"${[command, ...args].join(' ')}" ${why}; its words are above. Repair that, then run npm start again.`,
  )
}

interface Result {
  readonly code: number | string | null
  readonly output: string
}

function runQuietly(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  signal: AbortSignal,
): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)))
    child.stderr.on('data', (chunk: Buffer) => (output += String(chunk)))
    let killer: NodeJS.Timeout | undefined
    const end = (): void => {
      child.kill('SIGTERM')
      killer = setTimeout(() => child.kill('SIGKILL'), leaveMs)
    }
    const settle = (code: Result['code']): void => {
      clearTimeout(killer)
      signal.removeEventListener('abort', end)
      resolve({ code, output })
    }
    signal.addEventListener('abort', end, { once: true })
    child.once('error', (error: NodeJS.ErrnoException) => {
      output += `${error.message}\n`
      settle(error.code ?? 1)
    })
    child.once('close', settle)
  })
}
