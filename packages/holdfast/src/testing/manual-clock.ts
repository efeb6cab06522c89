import type { Clock } from '../foundation/clock.ts'

export interface ManualClock extends Clock {
  /**
   * Moves time by `ms` and calls every timer that comes due, in order, each at its own moment.
   * Timers set by those callbacks fire too when they come due within `ms`.
   */
  advance(ms: number): void
  /**
   * Like `advance`, and lets promise chains run before, between and after the timers. Needed when code waits for one
   * timer and only then sets the next.
   */
  advanceAsync(ms: number): Promise<void>
  /** How many timers wait. A part that has come to rest leaves none behind. */
  readonly pending: number
}

export interface ManualClockOptions {
  /** The wall clock at the start, in milliseconds since 1970. Default 2026-01-01T00:00:00Z */
  readonly now?: number
}

interface Waiting {
  readonly dueAt: number
  readonly callback: () => void
}

/**
 * A {@link Clock} that stands still until told to move, so tests wait for nothing and never flicker.
 *
 * @throws {RangeError} from `advance` when told to move backwards or by something that is no number
 */
export function createManualClock(options: ManualClockOptions = {}): ManualClock {
  const startedAt = options.now ?? Date.UTC(2026, 0, 1)
  const waiting = new Set<Waiting>()
  let elapsedMs = 0

  // A Set keeps insertion order, so of two timers due at once the older one fires first.
  const nextDue = (untilMs: number): Waiting | undefined => {
    let next: Waiting | undefined
    for (const timer of waiting) if (timer.dueAt <= untilMs && (!next || timer.dueAt < next.dueAt)) next = timer
    return next
  }
  const fire = (timer: Waiting): void => {
    waiting.delete(timer)
    elapsedMs = Math.max(elapsedMs, timer.dueAt)
    timer.callback()
  }
  const target = (ms: number): number => {
    if (!(ms >= 0 && Number.isFinite(ms)))
      throw new RangeError(`A clock moves forward by finite milliseconds, not by ${ms}`)
    return elapsedMs + ms
  }

  return {
    now: () => startedAt + elapsedMs,
    elapsed: () => elapsedMs,
    schedule(delayMs, callback) {
      const timer: Waiting = { dueAt: elapsedMs + (delayMs > 0 ? delayMs : 0), callback }
      waiting.add(timer)
      return { cancel: () => void waiting.delete(timer) }
    },
    advance(ms) {
      const untilMs = target(ms)
      for (let timer = nextDue(untilMs); timer; timer = nextDue(untilMs)) fire(timer)
      elapsedMs = untilMs
    },
    async advanceAsync(ms) {
      const untilMs = target(ms)
      await promisesToRun()
      for (let timer = nextDue(untilMs); timer; timer = nextDue(untilMs)) {
        fire(timer)
        await promisesToRun()
      }
      elapsedMs = Math.max(elapsedMs, untilMs)
    },
    get pending() {
      return waiting.size
    },
  }
}

function promisesToRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
