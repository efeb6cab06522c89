import type { Clock, Timer } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import { sql } from './sql.ts'
import type { SqlQuery } from './sql.ts'
import type { Workload } from './workload.ts'

export interface ReplicaLagOptions {
  readonly primary: Workload
  readonly replica: Workload
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
    const { clock, maxLagMs, logger } = this.#options
    this.#timer = { cancel: () => {} }
    try {
      await this.#sample()
    } catch (err) {
      this.doubt()
      logger.warn({ err }, 'The replica cannot be measured; the primary answers')
    }
    if (this.#isStopped) return
    const isUsed = clock.elapsed() - this.#usedAt < 10 * maxLagMs
    this.#timer = isUsed ? clock.schedule(maxLagMs / 4, () => void this.#measure()) : undefined
  }

  async #sample(): Promise<void> {
    const { primary, replica, clock } = this.#options
    const at = clock.elapsed()
    const position = await ask(primary, sql`select pg_current_wal_insert_lsn()::text as value`)
    this.#samples = [...this.#samples, { at, position }].slice(-maxSamples)
    const replayed = await ask(replica, sql`select coalesce(pg_last_wal_replay_lsn(), '0/0')::text as value`)
    const known = this.#samples.findLast((sample) => !isBefore(replayed, sample.position))
    if (known === undefined) return
    this.#knownUntil = known.at
    this.#samples = this.#samples.filter((sample) => sample.at >= known.at)
  }
}

async function ask(pool: Workload, query: SqlQuery): Promise<string> {
  const connection = await pool.take(undefined)
  try {
    const { rows } = await connection.send(connection.configOf(query))
    return (rows[0] as { readonly value: string }).value
  } finally {
    pool.release(connection)
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
