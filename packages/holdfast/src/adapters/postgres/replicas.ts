import type { QueryResult } from 'pg'
import { currentCaller } from '../../core/context/acting.ts'
import { currentRequest } from '../../core/context/request-context.ts'
import type { DatabaseSettings, ReplicaOptions } from './database-options.ts'
import { mayEndBetter, isConnectionLoss } from './errors.ts'
import { mayWrite } from './may-write.ts'
import { ReplicaLag } from './replica-lag.ts'
import type { SqlQuery } from './sql.ts'
import { Workload } from './workload.ts'
import { WriteMarks } from './write-marks.ts'

/**
 * The copies that may answer reads, with a pool for each class of work.
 *
 * The rule: an answer is at most `maxLagMs` old, and it knows of whatever the same session, or for nobody the same
 * request, has written through this process. Of what it wrote through another process it may be `maxLagMs` behind.
 */
export class Replicas {
  readonly pools: readonly Workload[]
  readonly #byName: ReadonlyMap<string, Workload>
  readonly #lag: ReplicaLag
  readonly #marks = new WriteMarks()
  readonly #clock: DatabaseSettings['clock']

  constructor(
    { pools, clock, logger }: DatabaseSettings,
    { url, maxLagMs }: Required<ReplicaOptions>,
    primary: Workload,
  ) {
    this.#clock = clock
    const byName = pools.map((pool) => {
      const name = `${pool.name} replica`
      const settings = { ...pool, name, url, applicationName: `${pool.applicationName} replica` }
      return [
        pool.name,
        new Workload(
          settings,
          () => false,
          () => {},
        ),
      ] as const
    })
    this.#byName = new Map(byName)
    this.pools = byName.map(([, pool]) => pool)
    this.#lag = new ReplicaLag({ primary, replica: this.pools[0] as Workload, maxLagMs, clock, logger })
  }

  /** @returns the replica's answer, or nothing when the primary has to be asked */
  async read(pool: Workload, ask: (replica: Workload) => Promise<QueryResult>): Promise<QueryResult | undefined> {
    const replica = this.#byName.get(pool.name)
    if (replica === undefined || !this.#lag.knowsOf(this.#marks.wroteAt(sessionKey(), currentRequest())))
      return undefined
    try {
      return await ask(replica)
    } catch (thrown) {
      // It is gone, or had to choose between us and keeping up: either way the primary knows.
      if (!isUnavailable(thrown)) throw thrown
      this.#lag.doubt()
      return undefined
    }
  }

  /** Remembers that the caller wrote something, if that is what the statement does. */
  noteStatement(query: SqlQuery): void {
    if (mayWrite(query)) this.noteWrite()
  }

  noteWrite(): void {
    this.#marks.note(sessionKey(), currentRequest(), this.#clock.elapsed())
  }

  stop(): void {
    this.#lag.stop()
  }
}

function sessionKey(): string | undefined {
  const caller = currentCaller()
  return caller?.sessionId ?? caller?.id
}

function isUnavailable(thrown: unknown): boolean {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  return mayEndBetter(thrown) || (cause !== undefined && isConnectionLoss(cause))
}
