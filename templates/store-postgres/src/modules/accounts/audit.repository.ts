import { sql, type SqlQuery } from 'holdfast/postgres'
import type { Database } from '../../platform/database.ts'
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

export const createAuditRepository = (database: Database): AuditRepository => new SqlAuditRepository(database)

type Event = Omit<AuditEvent, 'accountId'>

/** Stores these events for each row of a `with` query that has an `id`: no change without its events, and the reverse. */
export const insertEvents = (events: readonly Event[], changed: SqlQuery): SqlQuery => sql`
  insert into audit_events (type, account_id, actor_id, session_id, request_id, client_address, detail)
  ${sql.join(
    events.map((event) => toRow(event, changed)),
    sql` union all `,
  )}`

const toRow = (event: Event, changed: SqlQuery): SqlQuery => sql`
  select ${event.type}, id, ${event.actorId ?? null}::uuid, ${event.sessionId ?? null}::uuid,
    ${event.requestId ?? null}, ${event.clientAddress ?? null}, ${sql.json(event.detail ?? {})}::jsonb
  from ${changed}`

interface AuditRow {
  readonly id: string
  readonly type: string
  readonly account_id: string | null
  readonly actor_id: string | null
  readonly session_id: string | null
  readonly request_id: string | null
  readonly client_address: string | null
  readonly detail: Record<string, unknown>
  readonly created_at: Date
}

const toItem = (row: AuditRow): AuditItem => ({
  id: row.id,
  type: row.type,
  accountId: row.account_id,
  actorId: row.actor_id,
  sessionId: row.session_id,
  requestId: row.request_id,
  clientAddress: row.client_address,
  detail: row.detail,
  createdAt: row.created_at.toISOString(),
})

class SqlAuditRepository implements AuditRepository {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async insert({ accountId, ...event }: AuditEvent): Promise<void> {
    const concerned = sql`(select ${accountId ?? null}::uuid as id) as concerned`
    await this.#database.execute(insertEvents([event], concerned))
  }

  list({ account, after, limit }: AuditFilter): Promise<AuditItem[]> {
    const concerns = account === undefined ? sql`true` : sql`account_id = ${account}`
    const isAfter = after === undefined ? sql`true` : sql`id < ${after}`
    return this.#database.many(
      sql`
        select id, type, account_id, actor_id, session_id, request_id, client_address, detail,
          created_at
        from audit_events where ${concerns} and ${isAfter} order by id desc limit ${limit}`,
      toItem,
    )
  }
}
