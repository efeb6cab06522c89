import { systemClock, type Clock } from '../../foundation/clock.ts'
import { silentLogger, type Logger } from '../../foundation/logger.ts'
import type { LifecycleState } from './lifecycle.ts'

export type CheckResult = 'up' | 'down'

export interface HealthCheck {
  /** Down when it throws, rejects, gives `false` or takes too long. `signal` aborts when its time is over. */
  readonly check: (signal: AbortSignal) => unknown
  /** Milliseconds until it counts as down. Default 1000 */
  readonly timeoutMs?: number
}

export interface HealthOptions {
  /** Where the service stands: `state` of the start context or of a lifecycle. */
  readonly state: () => LifecycleState
  /** What the service cannot work without, by name. Names are shown to whoever may call the readiness probe. */
  readonly checks?: Readonly<Record<string, HealthCheck>>
  /** Hears of every change between up and down, with the error. Default: nobody does */
  readonly logger?: Logger
  /** Milliseconds for which results are reused, so that probing costs the database nothing. Default 1000 */
  readonly cacheMs?: number
  readonly clock?: Clock
}

export interface Readiness {
  readonly ready: boolean
  /** Names and states only; what went wrong is in the log. */
  readonly checks: Readonly<Record<string, CheckResult>>
}

export interface Health {
  /**
   * Whether the process works at all. Never asks a dependency and stays true while draining: a database outage or a
   * shutdown must not make an orchestrator kill processes.
   */
  isLive(): boolean
  /** Whether to send calls here: started, not draining, and all checks up. Never rejects. */
  readiness(): Promise<Readiness>
}

/**
 * Answers liveness and readiness probes. Checks run together, at most once per `cacheMs`, and probes that come
 * meanwhile share the run. A check that hangs is not started again before it ends.
 *
 * @throws {RangeError} when a duration is negative or no number
 */
export function createHealth(options: HealthOptions): Health {
  const { state, checks = {}, logger = silentLogger, cacheMs = 1000, clock = systemClock } = options
  assertDuration('cacheMs', cacheMs)
  const probes = Object.entries(checks).map(([name, check]) => new Probe(name, check, logger, clock))
  let results: Readiness['checks'] = Object.freeze({})
  let freshUntil = -Infinity
  let running: Promise<void> | undefined

  const refresh = async (): Promise<void> => {
    const entries = await Promise.all(probes.map(async (probe) => [probe.name, await probe.run()] as const))
    results = Object.freeze(Object.fromEntries(entries))
    freshUntil = clock.elapsed() + cacheMs
    running = undefined
  }
  // While the service ends its dependencies go away on purpose; asking them would only fill the log.
  const isEnding = (): boolean => state() === 'draining' || state() === 'stopped'

  return {
    isLive: () => true,
    async readiness() {
      if (!isEnding() && clock.elapsed() >= freshUntil) await (running ??= refresh())
      const allUp = Object.values(results).every((result) => result === 'up')
      return { ready: state() === 'ready' && allUp, checks: results }
    },
  }
}

class Probe {
  readonly name: string
  readonly #check: HealthCheck['check']
  readonly #timeoutMs: number
  readonly #logger: Logger
  readonly #clock: Clock
  #last: CheckResult = 'up'
  #isHanging = false

  constructor(name: string, { check, timeoutMs = 1000 }: HealthCheck, logger: Logger, clock: Clock) {
    assertDuration(`timeoutMs of check "${name}"`, timeoutMs)
    this.name = name
    this.#check = check
    this.#timeoutMs = timeoutMs
    this.#logger = logger
    this.#clock = clock
  }

  async run(): Promise<CheckResult> {
    if (this.#isHanging) return 'down'
    try {
      await this.#runBounded()
      this.#note('up')
    } catch (error) {
      this.#note('down', error)
    }
    return this.#last
  }

  #runBounded(): Promise<void> {
    const abort = new AbortController()
    return new Promise((resolve, reject) => {
      const timer = this.#clock.schedule(this.#timeoutMs, () => {
        const late = new Error(`No answer within ${this.#timeoutMs} ms`)
        abort.abort(late)
        reject(late)
      })
      this.#isHanging = true
      Promise.resolve()
        .then(() => this.#check(abort.signal))
        .then((answer) => (answer === false ? reject(new Error('The check answered false')) : resolve()), reject)
        .finally(() => {
          this.#isHanging = false
          timer.cancel()
        })
    })
  }

  #note(result: CheckResult, error?: unknown): void {
    if (result === this.#last) return
    this.#last = result
    try {
      if (result === 'down') this.#logger.error({ check: this.name, err: error }, 'A dependency is down')
      else this.#logger.info({ check: this.name }, 'A dependency is up again')
    } catch {
      // A logger that throws must not turn a probe into an error.
    }
  }
}

function assertDuration(name: string, ms: number): void {
  if (!(typeof ms === 'number' && ms >= 0)) throw new RangeError(`${name} is milliseconds ≥ 0, not ${String(ms)}`)
}
