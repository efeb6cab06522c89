import {
  isSessionId,
  maxListed,
  maxRevocationMs,
  rememberedTokens,
  type FoundSession,
  type NewSession,
  type Revocation,
  type RevocationBatch,
  type RotateRequest,
  type Rotation,
  type SessionKey,
  type SessionRecord,
  type SessionStore,
} from '../../core/auth/session-store.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { Database } from './database.ts'
import { listen } from './listener.ts'
import { readMessage, type RotatedRow, type SessionRow, toBatch, toHex, toRotation, toSession } from './session-rows.ts'
import { sql } from './sql.ts'

export interface PostgresSessionStoreOptions {
  /**
   * Where to listen for what other processes revoke: the database itself, since a pooler in transaction mode cannot
   * pass notifications on. Without it they are heard of at the next read, after `syncMs` of the sessions.
   */
  readonly listenUrl?: string
  /** Told when the listening connection is lost and when it is back. Default: nobody */
  readonly logger?: Logger
  /** Moves the time of this store by so many milliseconds. For tests only. Default 0 */
  readonly shiftMs?: number
}

const channel = 'holdfast_session_revocations'

/**
 * Sessions in PostgreSQL 13 or newer, in the tables of `holdfast/sql/sessions.sql`. Each operation is one statement,
 * and so one transaction.
 *
 * @throws {TypeError} for a URL to listen on that is none
 */
export function createPostgresSessionStore(
  database: Database,
  options: PostgresSessionStoreOptions = {},
): SessionStore {
  return new PostgresSessionStore(database, options)
}

class PostgresSessionStore implements SessionStore {
  readonly #database: Database
  readonly #options: PostgresSessionStoreOptions
  readonly #shiftMs: number

  constructor(database: Database, options: PostgresSessionStoreOptions) {
    assertUrl(options.listenUrl)
    this.#database = database
    this.#options = options
    this.#shiftMs = options.shiftMs ?? 0
  }

  create(session: NewSession): Promise<SessionRecord> {
    const { id, principalId, label, familyHash, tokenHash, idleMs, lifetimeMs } = session
    const query = sql`
      with clock as (select statement_timestamp() + ${this.#shiftMs} * interval '1 ms' as now)
      insert into sessions
        (id, principal_id, label, family_hash, token_hash, created_at, last_used_at, expires_at, ends_at)
      select ${id}::uuid, ${principalId}::text, ${label}::text, ${familyHash}::bytea, ${tokenHash}::bytea, now, now,
        now + ${lifetimeMs} * interval '1 ms', now + ${Math.min(idleMs, lifetimeMs)} * interval '1 ms'
      from clock
      returning id, principal_id, label, created_at, last_used_at, expires_at`
    return this.#database.one(query, toSession)
  }

  async find({ sessionId, familyHash }: SessionKey): Promise<FoundSession | undefined> {
    if (!isSessionId(sessionId)) return undefined
    const query = sql`
      with clock as (select statement_timestamp() + ${this.#shiftMs} * interval '1 ms' as now)
      select id, principal_id, label, created_at, last_used_at, expires_at, now
      from sessions, clock
      where id = ${sessionId} and family_hash = ${familyHash} and ends_at > now`
    return await this.#database.maybeOne(query, (row: SessionRow & { readonly now: Date }) => ({
      session: toSession(row),
      now: row.now.getTime(),
    }))
  }

  // All in the one row that is updated: when another statement holds its lock, PostgreSQL waits and then evaluates
  // condition and values anew on the row as that one left it. Anything read beside the update, the same row included,
  // would be seen as it was before the wait.
  async rotate(request: RotateRequest): Promise<Rotation> {
    const { sessionId, familyHash, tokenHash, successorHash, sealedSuccessor, replayMs, idleMs } = request
    if (!isSessionId(sessionId)) return { outcome: 'unknown' }
    const usedHash = toHex(tokenHash)
    const query = sql`
      with clock as (select statement_timestamp() + ${this.#shiftMs} * interval '1 ms' as now),
      request as (
        select now, floor(extract(epoch from now) * 1000)::bigint as now_ms, ${replayMs}::bigint as replay_ms,
          ${tokenHash}::bytea as token_hash, ${usedHash}::text as used_hash, ${successorHash}::bytea as successor_hash,
          ${toHex(sealedSuccessor)}::text as sealed
        from clock
      ),
      rotated as (
        update sessions as s set
          token_hash = case when s.token_hash = r.token_hash then r.successor_hash else s.token_hash end,
          used_tokens = case when s.token_hash = r.token_hash
            then jsonb_build_array(jsonb_build_object('hash', r.used_hash, 'at', r.now_ms, 'sealed', r.sealed)) || (
              select coalesce(jsonb_agg(used order by place), '[]')
              from jsonb_array_elements(s.used_tokens) with ordinality as each (used, place)
              where place < ${rememberedTokens} and (used ->> 'at')::bigint + r.replay_ms > r.now_ms
            )
            else s.used_tokens end,
          last_used_at = r.now,
          ends_at = case
            when s.token_hash = r.token_hash or exists (
              select from jsonb_array_elements(s.used_tokens) as each (used)
              where used ->> 'hash' = r.used_hash and (used ->> 'at')::bigint + r.replay_ms > r.now_ms
            ) then least(r.now + ${idleMs} * interval '1 ms', s.expires_at)
            else '-infinity' end
        from request as r
        where s.id = ${sessionId}::uuid and s.family_hash = ${familyHash}::bytea and s.ends_at > r.now
        returning s.id, s.principal_id, s.label, s.created_at, s.last_used_at, s.expires_at, s.used_tokens,
          s.ends_at = '-infinity' as is_reused, s.token_hash = r.successor_hash as is_rotated
      ),
      revoked as (
        insert into session_revocations (session_id, at) select id, last_used_at from rotated where is_reused
        returning session_id, at
      ),
      told as (select pg_notify(${channel}, ${sessionMessage}) from revoked)
      select rotated.*, (select count(*) from told) from rotated`
    const row = await this.#database.maybeOne(query, (one: RotatedRow) => one)
    return row === undefined ? { outcome: 'unknown' } : toRotation(row, usedHash)
  }

  list(principalId: string): Promise<readonly SessionRecord[]> {
    const query = sql`
      select id, principal_id, label, created_at, last_used_at, expires_at
      from sessions
      where principal_id = ${principalId} and ends_at > statement_timestamp() + ${this.#shiftMs} * interval '1 ms'
      order by last_used_at desc, id
      limit ${maxListed}`
    return this.#database.many(query, toSession)
  }

  // The locks are taken in one order, so that two who end all sessions of one principal do not wait for each other.
  async end(
    principalId: string,
    { only, except }: { readonly only?: string; readonly except?: string },
  ): Promise<readonly string[]> {
    if (only !== undefined && !isSessionId(only)) return []
    const spared = except !== undefined && isSessionId(except) ? except : null
    const query = sql`
      with clock as (select statement_timestamp() + ${this.#shiftMs} * interval '1 ms' as now),
      live as (
        select id from sessions
        where principal_id = ${principalId} and ends_at > (select now from clock)
          and (${only ?? null}::uuid is null or id = ${only ?? null}::uuid)
          and (${spared}::uuid is null or id <> ${spared}::uuid)
        order by id
        for update
      ),
      ended as (update sessions set ends_at = '-infinity' where id in (select id from live) returning id),
      revoked as (
        insert into session_revocations (session_id, at) select id, now from ended, clock returning session_id, at
      ),
      told as (select pg_notify(${channel}, ${sessionMessage}) from revoked)
      select id, (select count(*) from told) from ended`
    return await this.#database.many(query, ({ id }: { readonly id: string }) => id)
  }

  outdate(principalId: string): Promise<number> {
    const query = sql`
      with revoked as (
        insert into session_revocations (principal_id, at)
        values (${principalId}, statement_timestamp() + ${this.#shiftMs} * interval '1 ms')
        returning principal_id, at
      ),
      told as (
        select pg_notify(${channel}, json_build_object('principalId', principal_id, 'at', ${atMs})::text) from revoked
      )
      select at, (select count(*) from told) from revoked`
    return this.#database.one(query, ({ at }: { readonly at: Date }) => at.getTime())
  }

  // Transactions end in another order than they begin. The cursor is the oldest one that had not ended when this was
  // read: whatever belongs to it or to later ones is read again next time, and what is older was seen or never came.
  async revocations(options: {
    readonly withinMs: number
    readonly cursor?: string | undefined
  }): Promise<RevocationBatch> {
    const query = sql`
      with clock as (select statement_timestamp() + ${this.#shiftMs} * interval '1 ms' as now)
      select now, pg_snapshot_xmin(pg_current_snapshot())::text as cursor, (
          select coalesce(json_agg(
            json_build_object('sessionId', session_id, 'principalId', principal_id, 'at', ${atMs}) order by at, id), '[]')
          from session_revocations
          where at > now - ${options.withinMs} * interval '1 ms'
            and (${options.cursor ?? null}::xid8 is null or tx >= ${options.cursor ?? null}::xid8)
        ) as revocations
      from clock`
    return await this.#database.one(query, toBatch)
  }

  async subscribe(onRevoked: (revocation: Revocation) => void, onGap: () => void): Promise<() => Promise<void>> {
    const { listenUrl, logger } = this.#options
    if (listenUrl === undefined) return () => Promise.resolve()
    const onMessage = (message: string): void => {
      const revocation = readMessage(message)
      if (revocation !== undefined) onRevoked(revocation)
    }
    return await listen({ url: listenUrl, channel, onMessage, onGap, logger })
  }

  async purge(): Promise<number> {
    await deleteInBatches(() => this.#purgeRevocations())
    return await deleteInBatches(() => this.#purgeSessions())
  }

  #purgeSessions(): Promise<number> {
    return this.#database.execute(sql`
      delete from sessions where id in (
        select id from sessions
        where ends_at < statement_timestamp() + ${this.#shiftMs} * interval '1 ms'
        limit ${batchSize}
        for update skip locked
      )`)
  }

  #purgeRevocations(): Promise<number> {
    return this.#database.execute(sql`
      delete from session_revocations where id in (
        select id from session_revocations
        where at < statement_timestamp() + ${this.#shiftMs} * interval '1 ms' - ${maxRevocationMs} * interval '1 ms'
        limit ${batchSize}
        for update skip locked
      )`)
  }
}

const atMs = sql`floor(extract(epoch from at) * 1000)::bigint`
const sessionMessage = sql`json_build_object('sessionId', session_id, 'at', ${atMs})::text`

// It holds a password, so no message shows it.
function assertUrl(url: string | undefined): void {
  if (url === undefined || /^postgres(ql)?:\/\//i.test(url)) return
  throw new TypeError('listenUrl starts with postgres:// or postgresql://, as in postgres://user:password@host:5432/db')
}

const batchSize = 1000
const maxBatches = 100

/** Few rows at a time, so that nobody waits long for a lock; what is left is for the next call. */
async function deleteInBatches(deleteSome: () => Promise<number>): Promise<number> {
  let deleted = 0
  for (let batch = 0; batch < maxBatches; batch += 1) {
    const now = await deleteSome()
    deleted += now
    if (now < batchSize) break
  }
  return deleted
}
