import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'

/** Resolves once so many statements in this database wait for locks of others, with the names of who asks. */
export async function untilBlocked(client: pg.Client, count = 1): Promise<readonly string[]> {
  for (const endsAt = performance.now() + 5000; performance.now() < endsAt; await pause(10)) {
    // Within a transaction the activity of others is shown as it was when first asked for.
    await client.query('select pg_stat_clear_snapshot()')
    const { rows } = await client.query<{ readonly name: string }>(`
      select application_name as name from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`)
    if (rows.length === count) return rows.map(({ name }) => name)
  }
  return assert.fail(`There are not ${count} who wait`)
}
