import { constants } from 'node:os'
import { systemClock, type Clock } from '../../foundation/clock.ts'

export type StopSignal = 'SIGTERM' | 'SIGINT'
export type DefectOrigin = 'uncaughtException' | 'unhandledRejection'

/** What a service needs of its process. */
export interface ProcessPort {
  onSignal(listener: (signal: StopSignal) => void): void
  /** Errors that nothing caught. Listening keeps the process from dying of them. */
  onDefect(listener: (thrown: unknown, origin: DefectOrigin) => void): void
  /** Keeps the process running, also when no socket or timer does. */
  keepAlive(): void
  /** Plain text for the operator, for when there is no logger yet. */
  printError(text: string): void
  exit(code: number): void
  /** Exits although output could not be written in time. The code may be lost over it, the exit is not. */
  exitWithStuckOutput(code: number): void
}

export const nodeProcess: ProcessPort = {
  onSignal(listener) {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal))
  },
  onDefect(listener) {
    process.on('uncaughtException', (error: unknown) => listener(error, 'uncaughtException'))
    process.on('unhandledRejection', (reason) => listener(reason, 'unhandledRejection'))
  },
  keepAlive() {
    // The longest a timer can be; it only has to exist.
    setInterval(() => {}, 2 ** 31 - 1)
  },
  printError(text) {
    try {
      process.stderr.write(`${text}\n`)
    } catch {
      // Nobody listens.
    }
  },
  exit(code) {
    process.exit(code)
  },
  exitWithStuckOutput(code) {
    // `process.exit` waits for the threads of the pool, and one that writes to a pipe nobody reads never returns.
    const isThreadStuck = process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'))
    if (isThreadStuck) process.kill(process.pid, 'SIGKILL')
    process.exit(code)
  },
}

/** One press of Ctrl-C reaches a process twice under npm: from the terminal, and passed on by npm. */
const oneKeystrokeMs = 50

export interface SignalListener {
  /** The first signal. */
  readonly onStop: (signal: StopSignal) => void
  /** A further signal: somebody does not want to wait. */
  readonly onImpatience: (signal: StopSignal, exitCode: number) => void
}

/** Tells the first signal from the impatient second. Signals within 50 ms of the first count as the same. */
export function listenToSignals(
  port: Pick<ProcessPort, 'onSignal'>,
  listener: SignalListener,
  clock: Clock = systemClock,
): void {
  let firstAt: number | undefined
  port.onSignal((signal) => {
    if (firstAt === undefined) {
      firstAt = clock.elapsed()
      listener.onStop(signal)
    } else if (clock.elapsed() - firstAt > oneKeystrokeMs) {
      listener.onImpatience(signal, 128 + constants.signals[signal])
    }
  })
}
