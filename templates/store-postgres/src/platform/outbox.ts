import { sql } from 'holdfast/postgres'
import type { Database } from './database.ts'

/** Something that happened and that others will want to know. */
export interface OutboxEvent {
  readonly topic: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** Events are stored with what they tell of: neither is ever there without the other. */
export interface Outbox {
  /**
   * Add it in the transaction of what it tells of, and after it.
   *
   * @throws {Error} outside of one: a defect
   */
  add(event: OutboxEvent): Promise<void>
}

export const createOutbox = (database: Database): Outbox => ({
  async add({ topic, payload }) {
    // A transaction has an id once it has written something, and a lone statement has none yet while it begins.
    const added = await database.execute(sql`
      insert into outbox (topic, payload)
      select ${topic}, ${sql.json(payload)}::jsonb where pg_current_xact_id_if_assigned() is not null`)
    if (added !== 1) throw new Error(`The event ${topic} stands alone; add it in the transaction of what it tells of`)
  },
})
