// Accident: Ctrl-C reaches a service twice, from the terminal and from npm; it takes the second for "stop at once" and
// drops the requests it was draining. Or it ends and what it had started lives on.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

const canGroup = process.platform !== 'win32'
const echoMs = 500
const leaveMs = 3000
const parentCheckMs = 250

/**
 * Runs a program in a process group of its own and passes each signal on once.
 * Resolves to its exit code when all that it had started is gone too.
 */
export async function runChild(command, args, options) {
  const child = spawn(command, args, { ...options, detached: canGroup })
  const stopPassing = passSignals(child)
  try {
    const [code, signal] = await once(child, 'exit')
    await endGroup(child.pid)
    return code ?? 128 + constants.signals[signal]
  } finally {
    stopPassing()
  }
}

// In its own group the child hears nothing from the terminal, so each wish to stop arrives here alone, with its echoes.
function passSignals(child) {
  let lastAt = -Infinity
  const pass = (signal) => {
    const now = performance.now()
    if (now - lastAt > echoMs) child.kill(signal)
    lastAt = now
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, pass)
  const stopWatching = watchParent(() => pass('SIGTERM'))
  return () => {
    stopWatching()
    for (const signal of signals) process.off(signal, pass)
  }
}

// A signal to npm ends the shell between npm and us, and that shell passes nothing on: its end is the message.
function watchParent(onGone) {
  if (!process.env.npm_lifecycle_event) return () => {}
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onGone()
  }, parentCheckMs)
  timer.unref()
  return () => clearInterval(timer)
}

async function endGroup(pid) {
  if (!canGroup || pid === undefined) return
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    if (!signalGroup(pid, signal)) return
    const deadline = performance.now() + leaveMs
    while (performance.now() < deadline) {
      if (!signalGroup(pid, 0)) return
      await pause(20)
    }
  }
}

function signalGroup(pid, signal) {
  try {
    return process.kill(-pid, signal)
  } catch {
    return false
  }
}
