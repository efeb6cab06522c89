import type { Clock, Timer } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'

export interface ReplicaLagOptions {
  /** Up to where the primary has written its log. */
  readonly writtenTo: () => Promise<string>
  /** Up to where the replica has repeated it. */
  readonly replayedTo: () => Promise<string>
  readonly maxLagMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Where the primary stood at a moment of ours. */
interface Sample {
  readonly at: number
  readonly position: string
}

const maxSamples = 64

/**
 * How far behind a replica is, measured without trusting its clock or its word: it knows of every commit up to the last
 * moment at which the primary stood where the replica stands. While it is used, both are asked four times in `maxLagMs`.
 */
export class ReplicaLag {
  readonly #options: ReplicaLagOptions
  #samples: readonly Sample[] = []
  #knownUntil = Number.NEGATIVE_INFINITY
  #usedAt = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  #isReachable = true
  #isStopped = false

  constructor(options: ReplicaLagOptions) {
    this.#options = options
  }

  /** Whether it is near enough, and knows of what was written at that moment. Begins to measure when nobody has yet. */
  knowsOf(writtenAt: number): boolean {
    const { clock, maxLagMs } = this.#options
    const now = clock.elapsed()
    this.#usedAt = now
    if (this.#timer === undefined && !this.#isStopped) void this.#measure()
    return now - this.#knownUntil <= maxLagMs && this.#knownUntil > writtenAt
  }

  /** Nothing is taken from it until it has been measured again. */
  doubt(): void {
    this.#knownUntil = Number.NEGATIVE_INFINITY
    this.#samples = []
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  async #measure(): Promise<void> {
    const { clock, maxLagMs } = this.#options
    this.#timer = { cancel: () => {} }
    await this.#sample()
    if (this.#isStopped) return
    const isUsed = clock.elapsed() - this.#usedAt < 10 * maxLagMs
    this.#timer = isUsed ? clock.schedule(maxLagMs / 4, () => void this.#measure()) : undefined
  }

  async #sample(): Promise<void> {
    const { writtenTo, replayedTo, clock } = this.#options
    const at = clock.elapsed()
    try {
      const position = await writtenTo()
      this.#samples = [...this.#samples, { at, position }].slice(-maxSamples)
    } catch {
      // Queries will tell. What is known of the replica stays true, and grows old by itself.
      return
    }
    try {
      this.#note(await replayedTo())
    } catch (err) {
      this.doubt()
      this.#noteReachable(false, err)
    }
  }

  #note(replayed: string): void {
    this.#noteReachable(true)
    const known = this.#samples.findLast((sample) => !isBefore(replayed, sample.position))
    if (known === undefined) return
    this.#knownUntil = known.at
    this.#samples = this.#samples.filter((sample) => sample.at >= known.at)
  }

  /** Once for each outage: it is measured several times in a second. */
  #noteReachable(isReachable: boolean, err?: unknown): void {
    if (isReachable === this.#isReachable || this.#isStopped) return
    this.#isReachable = isReachable
    const { logger } = this.#options
    if (isReachable) logger.info({}, 'The replica can be reached again')
    else logger.warn({ err }, 'The replica cannot be reached; the primary answers in its place')
  }
}

/** Positions in the write-ahead log are two hexadecimal numbers of 32 bits: `16/B374D848`. */
function isBefore(one: string, other: string): boolean {
  return toNumber(one) < toNumber(other)
}

function toNumber(position: string): bigint {
  const [high = '0', low = '0'] = position.split('/')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}
