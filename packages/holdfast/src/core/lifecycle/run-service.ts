import { systemClock, type Clock } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import { bounded } from './bounded.ts'
import { createLifecycle, type Lifecycle, type LifecycleOptions, type StartContext } from './lifecycle.ts'
import { exitCodeOf, plainWords } from './plain-words.ts'
import { listenToSignals, nodeProcess, type ProcessPort } from './signals.ts'

/** Log lines on their way out get this long, in milliseconds, before the process leaves without them. */
const flushTimeoutMs = 1000
/** The same after a second signal, which means now. */
const hastyFlushMs = 100
/** How much later than the sum of all bounds the hard timer fires; it is for the case that one of them failed. */
const hardMarginMs = 1000

export interface ServiceOptions extends Omit<LifecycleOptions, 'clock'> {
  /**
   * Builds the service and starts its servers. The service is ready when this resolves. Pass `signal` on to what waits,
   * so that a stop during the start is heeded.
   */
  readonly start: (context: StartContext) => unknown
}

/** For tests: stand-ins for the process and for time. */
export interface RunServiceSeams {
  readonly process?: ProcessPort
  readonly clock?: Clock
}

/**
 * Runs a service until SIGTERM, SIGINT or an error that nothing caught, ends it in order, and exits the process:
 * readiness goes at once, `drainDelayMs` of further service, calls in flight until `stopTimeoutMs`, disposal in
 * reverse, logs flushed.
 *
 * Exit codes: 0 after a signal; 1 after a failed start, an uncaught error, or when something did not end in time; 78
 * for wrong settings; 128 + signal number, at once, on a second signal more than 50 ms after the first. SIGKILL is the
 * last resort when nobody reads the log and the system would not let the process go.
 *
 * With Kubernetes keep `drainDelayMs + stopTimeoutMs + disposeTimeoutMs + 2000` under the termination grace period.
 *
 * @param service - or a function that gives it, so that settings can be loaded inside: what it throws is answered like
 *   a failed start
 * @returns the exit code, which only a stand-in for the process lets anyone see
 * @example
 * await runService(() => {
 *   const config = loadConfig(Settings, { env: process.env })
 *   const logger = createLogger({ level: config.LOG_LEVEL })
 *   return {
 *     logger,
 *     drainDelayMs: config.DRAIN_DELAY_MS,
 *     start: async ({ signal, use, serve }) => {
 *       const services = use(await container.start({ signal }), (all) => all.dispose(), 'services')
 *       serve(await listen(createServer(createApp(services)), { port: config.PORT }))
 *     },
 *   }
 * })
 */
export async function runService(
  service: ServiceOptions | (() => ServiceOptions),
  seams: RunServiceSeams = {},
): Promise<number> {
  const { process: port = nodeProcess, clock = systemClock } = seams
  let options: ServiceOptions
  let lifecycle: Lifecycle
  try {
    options = typeof service === 'function' ? service() : service
    lifecycle = createLifecycle({ ...options, clock })
  } catch (error) {
    return exitUnstarted(port, error)
  }
  const leave = leaveOnce(port, clock, options.logger)
  port.keepAlive()
  listenToSignals(
    port,
    {
      onStop: (signal) => lifecycle.stop({ kind: 'asked', by: signal }),
      onImpatience: (_signal, exitCode) => void leave(exitCode, hastyFlushMs),
    },
    clock,
  )
  port.onDefect((error, origin) => lifecycle.stop({ kind: 'defect', error, origin }))
  const hardLimitMs = lifecycle.longestStopMs + flushTimeoutMs + hardMarginMs
  lifecycle.signal.addEventListener('abort', () => clock.schedule(hardLimitMs, () => void leave(1, hastyFlushMs)))
  return leave(await lifecycle.run(options.start), flushTimeoutMs)
}

type Leave = (code: number, flushMs: number) => Promise<number>

/** Several ends may meet: the orderly one, the second signal, the hard timer. The hastier one wins, then one exit. */
function leaveOnce(port: ProcessPort, clock: Clock, logger: Logger): Leave {
  let hasLeft = false
  return async (code, flushMs) => {
    const flushed = await bounded(clock, flushMs, () => logger.flush())
    if (hasLeft) return code
    hasLeft = true
    if (flushed === 'late') port.exitWithStuckOutput(code)
    else port.exit(code)
    return code
  }
}

/** Without options there is no logger: the operator reads it on stderr. */
function exitUnstarted(port: ProcessPort, error: unknown): number {
  const { code, isForOperator } = exitCodeOf(error)
  port.printError(`The service could not start: ${plainWords(error)}`)
  if (!isForOperator) port.printError(stackOf(error))
  port.exit(code)
  return code
}

function stackOf(error: unknown): string {
  try {
    const stack = (error as { stack?: unknown } | null | undefined)?.stack
    return typeof stack === 'string' ? stack : ''
  } catch {
    return ''
  }
}
