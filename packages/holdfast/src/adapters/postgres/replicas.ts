import type { QueryResult } from 'pg'
import { currentCaller } from '../../core/context/acting.ts'
import { currentRequest } from '../../core/context/request-context.ts'
import type { DatabaseSettings, ReplicaOptions } from './database-options.ts'
import { mayEndBetter, isConnectionLoss } from './errors.ts'
import { mayWrite } from './may-write.ts'
import { ReplicaLag } from './replica-lag.ts'
import { sql } from './sql.ts'
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
    const replica = this.pools[0] as Workload
    this.#lag = new ReplicaLag({
      writtenTo: () => valueOf(primary, sql`select pg_current_wal_insert_lsn()::text as value`),
      // What was promoted goes its own way: it repeats nothing any more.
      replayedTo: () =>
        valueOf(
          replica,
          sql`select case when pg_is_in_recovery() then coalesce(pg_last_wal_replay_lsn(), '0/0') else '0/0' end::text as value`,
        ),
      maxLagMs,
      clock,
      logger,
    })
  }

  /** @returns the replica's answer, or nothing when the primary has to be asked */
  async answer(pool: Workload, read: (replica: Workload) => Promise<QueryResult>): Promise<QueryResult | undefined> {
    const replica = this.#byName.get(pool.name)
    const wroteAt = this.#marks.wroteAt(sessionsHere(), currentRequest())
    if (replica === undefined || !this.#lag.knowsOf(wroteAt)) return undefined
    try {
      return await read(replica)
    } catch (thrown) {
      if (isGone(thrown)) this.#lag.doubt()
      else if (!isInItsWay(thrown) && !isBehindSchema(thrown)) throw thrown
      return undefined
    }
  }

  /** Remembers that the caller wrote something, if that is what the statement does. */
  noteStatement(query: SqlQuery): void {
    if (mayWrite(query)) this.noteWrite()
  }

  noteWrite(): void {
    this.#marks.note(sessionsHere(), currentRequest(), this.#clock.elapsed())
  }

  stop(): void {
    this.#lag.stop()
  }
}

/** Who would look for what is written here: whom the request came from, and for whom it acts. */
function sessionsHere(): readonly string[] {
  const caller = currentCaller()
  const principal = currentRequest()?.principal
  const callers = caller === principal ? [caller] : [caller, principal]
  return callers.flatMap((one) => one?.sessionId ?? one?.id ?? [])
}

function isGone(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.cause !== undefined && isConnectionLoss(thrown.cause)
}

/** It had to choose between us and keeping up. */
const isInItsWay = mayEndBetter

// undefined_table, undefined_column, undefined_function, undefined_object, invalid_schema_name
const missing: readonly unknown[] = ['42P01', '42703', '42883', '42704', '3F000']

/** A migration has not reached it yet; and if there was none, the primary says the same. */
function isBehindSchema(thrown: unknown): boolean {
  return thrown instanceof Error && missing.includes((thrown as { readonly code?: unknown }).code)
}

async function valueOf(pool: Workload, query: SqlQuery): Promise<string> {
  const connection = await pool.take(undefined)
  try {
    const { rows } = await connection.send(connection.configOf(query))
    return (rows[0] as { readonly value: string }).value
  } finally {
    pool.release(connection)
  }
}
