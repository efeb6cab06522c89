import { Schema } from 'mongoose'
import { type Database, defineModel } from './database.ts'
import { createId } from './ids.ts'

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

interface EventDocument extends OutboxEvent {
  readonly _id: string
  readonly createdAt: Date
}

const eventSchema = new Schema<EventDocument>({
  _id: { type: String, required: true },
  topic: { type: String, required: true, minLength: 1, maxLength: 100 },
  payload: { type: Schema.Types.Mixed, required: true },
  createdAt: { type: Date, required: true },
})
export const openOutbox = defineModel<EventDocument>('outbox', eventSchema)

export const createOutbox = (database: Database): Outbox => {
  const events = openOutbox(database)
  return {
    async add({ topic, payload }) {
      if (isAlone(database)) {
        throw new Error(`The event ${topic} stands alone; add it in the transaction of what it tells of`)
      }
      await database.insert<EventDocument>(events, { _id: createId(), topic, payload, createdAt: new Date() })
    },
  }
}

/** Outside of a transaction there is no commit to wait for. */
function isAlone(database: Database): boolean {
  let hasRun = false
  database.afterCommit(() => {
    hasRun = true
  })
  return hasRun
}
