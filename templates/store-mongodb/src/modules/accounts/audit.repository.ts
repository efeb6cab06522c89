import { Schema } from 'mongoose'
import { type Database, defineModel } from '../../platform/database.ts'
import { createId } from '../../platform/ids.ts'
import type { AuditItem } from './accounts.schema.ts'
import type { AuditEvent } from './audit.ts'

export interface AuditFilter {
  readonly account?: string | undefined
  /** Only events that come after this one. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface AuditRepository {
  insert(event: AuditEvent): Promise<void>
  /** Newest first. */
  list(filter: AuditFilter): Promise<AuditItem[]>
}

export const createAuditRepository = (database: Database): MongoAuditRepository => new MongoAuditRepository(database)

interface EventDocument {
  readonly _id: string
  readonly type: string
  readonly accountId: string | null
  readonly actorId: string | null
  readonly sessionId: string | null
  readonly requestId: string | null
  readonly clientAddress: string | null
  readonly detail: Readonly<Record<string, unknown>>
  readonly createdAt: Date
}

// Ids only: no e-mail addresses, no secrets.
const eventSchema = new Schema<EventDocument>({
  _id: { type: String, required: true },
  type: { type: String, required: true, minLength: 1, maxLength: 100 },
  accountId: { type: String, default: null },
  actorId: { type: String, default: null },
  sessionId: { type: String, default: null },
  requestId: { type: String, default: null },
  clientAddress: { type: String, default: null },
  detail: { type: Schema.Types.Mixed, required: true },
  createdAt: { type: Date, required: true },
})

const openEvents = defineModel<EventDocument>('audit_events', eventSchema)

const toItem = (document: EventDocument): AuditItem => ({
  id: document._id,
  type: document.type,
  accountId: document.accountId,
  actorId: document.actorId,
  sessionId: document.sessionId,
  requestId: document.requestId,
  clientAddress: document.clientAddress,
  detail: document.detail,
  createdAt: document.createdAt.toISOString(),
})

class MongoAuditRepository implements AuditRepository {
  readonly #database: Database
  readonly #events: ReturnType<typeof openEvents>

  constructor(database: Database) {
    this.#database = database
    this.#events = openEvents(database)
  }

  async insert(event: AuditEvent): Promise<void> {
    await this.insertAll([event])
  }

  /** Several at once; in the transaction of what they tell of. */
  async insertAll(events: readonly AuditEvent[]): Promise<void> {
    await this.#database.insert<EventDocument>(this.#events, events.map(toDocument))
  }

  list({ account, after, limit }: AuditFilter): Promise<AuditItem[]> {
    const filter = {
      ...(account !== undefined && { accountId: account }),
      ...(after !== undefined && { _id: { $lt: after } }),
    }
    return this.#database.many(this.#events.find(filter).sort({ _id: -1 }).limit(limit), toItem)
  }
}

const toDocument = (event: AuditEvent): EventDocument => ({
  _id: createId(),
  type: event.type,
  accountId: event.accountId ?? null,
  actorId: event.actorId ?? null,
  sessionId: event.sessionId ?? null,
  requestId: event.requestId ?? null,
  clientAddress: event.clientAddress ?? null,
  detail: event.detail ?? {},
  createdAt: new Date(),
})
