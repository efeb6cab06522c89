import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Stops a process in the middle of whatever it does: its sockets stay open and say nothing. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await untilState(pid, (state) => state.startsWith('T'))
}

export function thaw(pid: number): void {
  process.kill(pid, 'SIGCONT')
}

/** Ends a process at once, as a crash of it would. Resolves when it is gone. */
export async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await untilState(pid, (state) => state === '' || state.startsWith('Z'))
}

async function untilState(pid: number, isReached: (state: string) => boolean): Promise<void> {
  for (const endsAt = performance.now() + 5000; ; await sleep(2)) {
    if (isReached(stateOf(pid))) return
    if (performance.now() > endsAt) throw new Error(`Process ${pid} is still in state ${stateOf(pid)}`)
  }
}

/** A letter as `ps` has it; empty when there is no such process. A bare Linux has no `ps`, and macOS no /proc. */
function stateOf(pid: number): string {
  try {
    if (process.platform !== 'linux')
      return execFileSync('ps', ['-o', 'state=', '-p', String(pid)])
        .toString()
        .trim()
    // The name before it is in brackets and may hold anything, brackets too.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? ''
  } catch {
    return ''
  }
}
