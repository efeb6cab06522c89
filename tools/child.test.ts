// Accident: somebody stops `npm start` by its pid; npm goes, and the service and its database live on as orphans.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'

const script = `
  import { runChild } from ${JSON.stringify(join(import.meta.dirname, 'child.mjs'))}
  console.log('runner', process.pid)
  await runChild(process.execPath, ['-e', 'console.log("program", process.pid); setInterval(() => {}, 1000)'], { stdio: 'inherit' })
`

test('when the shell between npm and the runner is killed, the program and the runner end', async () => {
  // The trailing command keeps the shell from becoming the runner.
  const shell = spawn('/bin/sh', ['-c', `"${process.execPath}" --input-type=module -e "$SCRIPT"; :`], {
    env: { ...process.env, npm_lifecycle_event: 'start', SCRIPT: script },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const pidOf = (name: string): number => Number(new RegExp(`${name} (\\d+)`).exec(output)?.[1])
  await vi.waitFor(() => expect(pidOf('program')).toBeGreaterThan(0), { timeout: 10_000 })
  shell.kill('SIGKILL')
  await once(shell, 'exit')
  const pids = [pidOf('runner'), pidOf('program')]
  try {
    await vi.waitFor(() => expect(pids.filter(isRunning)).toEqual([]), { timeout: 10_000 })
  } finally {
    for (const pid of pids.filter(isRunning)) process.kill(pid, 'SIGKILL')
  }
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
