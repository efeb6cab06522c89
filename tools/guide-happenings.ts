// Accident: a page tells of a bad day that nobody has ever seen.

import { setTimeout as pause } from 'node:timers/promises'
import { createDatabase, type Database, sql } from 'holdfast/postgres'

/** What can happen to a PostgreSQL between two requests, and to those who ask an app for something that needs it. */
export interface Happenings {
  /** @returns whether it knows how to make this happen */
  happen(what: string, app: string): Promise<boolean>
  /**
   * Takes back what still goes on.
   *
   * @throws {Error} when something was to happen and did not
   */
  end(): Promise<void>
}

/** @param url - of the database's owner, on a way that is never cut */
export function createHappenings(url: string): Happenings {
  const owner = createDatabase({ url, maxConnections: 3, transactionTimeoutMs: 60_000 })
  const leaving = new AbortController()
  let free = (): void => {}
  let held: Promise<void> = Promise.resolve()
  let assertCut = async (): Promise<void> => {}

  const known: readonly (readonly [RegExp, (app: string, ...words: string[]) => Promise<void>])[] = [
    [
      /^A connection is cut while (\w+) are (written|committed)$/,
      async (_, table, when) => {
        await assertCut()
        assertCut = await cutOnce(owner, table, when)
      },
    ],
    [
      /^Somebody holds (\w+)$/,
      async (_, table) => {
        const isHeld = Promise.withResolvers<void>()
        held = hold(owner, table, isHeld.resolve, new Promise((resolve) => (free = resolve)))
        await Promise.race([isHeld.promise, held])
      },
    ],
    [
      /^They let go$/,
      async () => {
        free()
        await held
      },
    ],
    [
      /^(\d) others ask for (\S+)$/,
      async (app, count, path) => {
        for (let at = 0; at < Number(count); at++)
          void fetch(`${app}${path}`, { signal: leaving.signal }).catch(() => {})
        await untilAtWork(owner, Number(count))
      },
    ],
    [
      /^They leave$/,
      async () => {
        leaving.abort()
        await untilAtWork(owner, 0)
      },
    ],
  ]

  return {
    async happen(what, app) {
      for (const [pattern, make] of known) {
        const found = pattern.exec(what)
        if (found === null) continue
        await make(app, ...found.slice(1))
        return true
      }
      return false
    },
    async end() {
      leaving.abort()
      free()
      await held.catch(() => {})
      try {
        await assertCut()
      } finally {
        await owner.close()
      }
    },
  }
}

/**
 * The server ends the connection that inserts into a table next: at that statement, or in the middle of its commit.
 *
 * @returns what throws unless it did, and the statement was repeated
 */
async function cutOnce(owner: Database, table = '', when = ''): Promise<() => Promise<void>> {
  const name = sql.identifier(table, [table])
  const moment = when === 'written' ? sql`immediate` : sql`deferred`
  await owner.execute(sql`drop function if exists cut_once cascade`)
  await owner.execute(sql`drop sequence if exists cuts`)
  // No sequence is ever rolled back, so the next attempt finds itself counted.
  await owner.execute(sql`create sequence cuts`)
  await owner.execute(sql`
    create function cut_once() returns trigger language plpgsql security definer as '
      begin
        if nextval(''cuts'') = 1 then
          perform pg_terminate_backend(pg_backend_pid());
          perform pg_sleep(1);
        end if;
        return null;
      end'`)
  await owner.execute(sql`
    create constraint trigger cut after insert on ${name} deferrable initially ${moment}
      for each row execute function cut_once()`)
  return async () => {
    const inserts = await owner.one(
      sql`select case when is_called then last_value else 0 end as inserts from cuts`,
      (row: { readonly inserts: number }) => row.inserts,
    )
    // One that is cut while it is written is written once more, and its answer shows nothing of it.
    if (inserts < (when === 'written' ? 2 : 1)) throw new Error(`No connection was cut: ${inserts} came to ${table}`)
  }
}

/** Whoever wants to write to the table waits. */
async function hold(owner: Database, table = '', onHeld: () => void, freed: Promise<void>): Promise<void> {
  await owner.transaction(
    async () => {
      await owner.execute(sql`set local idle_in_transaction_session_timeout = 0`)
      await owner.execute(sql`lock table ${sql.identifier(table, [table])} in exclusive mode`)
      onHeld()
      await freed
    },
    { retries: 0 },
  )
}

/** Waits until so many statements of the app are being worked on. */
async function untilAtWork(owner: Database, count: number): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const others = await owner.query(sql`
      select query from pg_stat_activity
      where datname = current_database() and state = 'active' and pid <> pg_backend_pid()`)
    if (others.length === count) return
    if (Date.now() > deadline) throw new Error(`${others.length} statements are at work in place of ${count}`)
    await pause(10)
  }
}
