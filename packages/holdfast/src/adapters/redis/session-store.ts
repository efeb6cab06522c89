import {
  maxListed,
  maxRevocationMs,
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
import type { Redis } from './redis.ts'
import {
  createScript,
  endScript,
  outdateScript,
  readScript,
  revocationsScript,
  rotateScript,
} from './session-scripts.ts'

export interface RedisSessionStoreOptions {
  /** Moves the time of this store by so many milliseconds. For tests only. Default 0 */
  readonly shiftMs?: number
}

const stateKey = '{sessions}:state'
const revokedKey = '{sessions}:revoked'
const channel = 'sessions:revoked'

const sessionKey = (id: string): string => `{sessions}:one:${id}`
const principalKey = (id: string): string => `{sessions}:of:${id}`

// A script holds up all else on its server while it runs.
const batchSize = 500
const pageSize = 5000

/**
 * Sessions in Redis 6.2 or newer. In a cluster all of them lie in one slot, so that each operation stays one atomic
 * step: a session costs its node some 1.6 kB, and one script for each refresh.
 *
 * What Redis forgets is over. After it was emptied everybody signs in again, and access tokens from before are refused
 * on every process. But a Redis that comes back from an old snapshot, or a replica that takes over before it has heard
 * of an end, has that session going on: where that matters keep sessions in PostgreSQL. Set `maxmemory-policy
 * noeviction`, or sessions end when memory is short.
 */
export function createRedisSessionStore(redis: Redis, options: RedisSessionStoreOptions = {}): SessionStore {
  return new RedisSessionStore(redis, options.shiftMs ?? 0)
}

class RedisSessionStore implements SessionStore {
  readonly #redis: Redis
  readonly #shiftMs: number

  constructor(redis: Redis, shiftMs: number) {
    this.#redis = redis
    this.#shiftMs = shiftMs
  }

  async create(session: NewSession): Promise<SessionRecord> {
    const { id, principalId, label, familyHash, tokenHash, idleMs, lifetimeMs } = session
    const keys = [stateKey, sessionKey(id), principalKey(principalId)]
    const hashes = [toHex(familyHash), toHex(tokenHash)]
    const reply = await this.#run(createScript, keys, [id, principalId, label, ...hashes, idleMs, lifetimeMs])
    const [created, expires] = (reply as string[]).map(Number) as [number, number]
    return { id, principalId, label, createdAt: created, lastUsedAt: created, expiresAt: expires }
  }

  async find({ sessionId, familyHash }: SessionKey): Promise<FoundSession | undefined> {
    const { now, found } = await this.#read([sessionId])
    const fields = found[0]
    if (fields == null || fields[6] !== toHex(familyHash)) return undefined
    return { session: toSession(sessionId, fields), now }
  }

  async rotate(request: RotateRequest): Promise<Rotation> {
    const { sessionId, familyHash, tokenHash, successorHash, sealedSuccessor, replayMs, idleMs } = request
    const bytes = [familyHash, tokenHash, successorHash, sealedSuccessor].map(toHex)
    const reply = await this.#run(
      rotateScript,
      [sessionKey(sessionId), stateKey, revokedKey],
      [...bytes, replayMs, idleMs, sessionId, this.#redis.key(channel), maxRevocationMs],
    )
    const [outcome, fields, chain] = reply as RotateReply
    if (outcome === 'unknown') return { outcome }
    const session = toSession(sessionId, fields)
    if (outcome === 'reused') return { outcome, session }
    return { outcome, session, sealedSuccessors: chain.toReversed().map((sealed) => Buffer.from(sealed, 'hex')) }
  }

  async list(principalId: string): Promise<readonly SessionRecord[]> {
    const ids = await this.#idsOf(principalId, maxListed)
    const sessions: SessionRecord[] = []
    for (const some of inBatches(ids)) {
      const { found } = await this.#read(some)
      for (const [place, fields] of found.entries()) if (fields !== null) sessions.push(toSession(some[place]!, fields))
    }
    return sessions.toSorted((a, b) => b.lastUsedAt - a.lastUsedAt || (a.id < b.id ? -1 : 1))
  }

  async end(
    principalId: string,
    { only, except }: { readonly only?: string; readonly except?: string },
  ): Promise<readonly string[]> {
    const ids = only === undefined ? await this.#idsOf(principalId, Infinity) : [only]
    const ended: string[] = []
    for (const some of inBatches(ids.filter((id) => id !== except))) {
      const keys = [stateKey, revokedKey, principalKey(principalId), ...some.map(sessionKey)]
      const args = [principalId, this.#redis.key(channel), maxRevocationMs, ...some]
      ended.push(...((await this.#run(endScript, keys, args)) as string[]))
    }
    return ended
  }

  async outdate(principalId: string): Promise<number> {
    const args = [principalId, this.#redis.key(channel), maxRevocationMs]
    return Number(await this.#run(outdateScript, [stateKey, revokedKey], args))
  }

  async revocations(options: {
    readonly withinMs: number
    readonly cursor?: string | undefined
  }): Promise<RevocationBatch> {
    const revocations: Revocation[] = []
    for (let cursor = options.cursor; ;) {
      const page = await this.#page(options.withinMs, cursor)
      revocations.push(...page.revocations.filter(({ at }) => at > page.now - options.withinMs))
      cursor = page.cursor
      if (page.revocations.length < pageSize) {
        return { revocations, cursor, now: page.now, notBefore: page.notBefore }
      }
    }
  }

  async subscribe(onRevoked: (revocation: Revocation) => void, onGap: () => void): Promise<() => Promise<void>> {
    const onMessage = (message: string): void => {
      const revocation = toRevocation(message)
      if (revocation !== undefined) onRevoked(revocation)
    }
    return await this.#redis.subscribe(channel, onMessage, onGap)
  }

  /** Redis forgets by itself: each key has an end. */
  purge(): Promise<number> {
    return Promise.resolve(0)
  }

  async #page(withinMs: number, cursor = ''): Promise<RevocationBatch> {
    const [since = '', number = ''] = /^(\d+)\.(\d+)$/.exec(cursor)?.slice(1) ?? []
    const reply = await this.#run(revocationsScript, [stateKey, revokedKey], [withinMs, since, number || 0, pageSize])
    const [now, memorySince, last, messages] = reply as [string, string, string, string[]]
    return {
      now: Number(now),
      notBefore: Number(memorySince),
      cursor: `${memorySince}.${last}`,
      revocations: messages.flatMap((message) => toRevocation(message) ?? []),
    }
  }

  async #read(ids: readonly string[]): Promise<{ readonly now: number; readonly found: readonly (Fields | null)[] }> {
    const reply = await this.#run(readScript, ids.map(sessionKey), [])
    const [now, ...found] = reply as [string, ...(Fields | null)[]]
    return { now: Number(now), found }
  }

  /** Those that end last come first. Some may be over already. */
  async #idsOf(principalId: string, limit: number): Promise<string[]> {
    const last = Number.isFinite(limit) ? limit - 1 : -1
    return (await this.#redis.command('ZREVRANGE', this.#redis.key(principalKey(principalId)), 0, last)) as string[]
  }

  #run(...[script, keys, args]: Parameters<Redis['run']>): Promise<unknown> {
    return this.#redis.run(script, keys, [this.#shiftMs, ...args])
  }
}

/** principal, label, created, used, expires, ends, family. */
type Fields = readonly string[]
type RotateReply =
  | readonly ['unknown', never, never]
  | readonly ['reused', Fields, never]
  | readonly ['rotated' | 'replayed', Fields, readonly string[]]

function toSession(id: string, fields: Fields): SessionRecord {
  const [principalId = '', label = '', created, used, expires] = fields
  return {
    id,
    principalId,
    label,
    createdAt: Number(created),
    lastUsedAt: Number(used),
    expiresAt: Number(expires),
  }
}

function toRevocation(message: string): Revocation | undefined {
  const [, kind, at, id] = /^([ps]):(\d+):(.+)$/s.exec(message) ?? []
  if (kind === undefined || id === undefined) return undefined
  return kind === 's' ? { sessionId: id, at: Number(at) } : { principalId: id, at: Number(at) }
}

function* inBatches(ids: readonly string[]): Generator<string[]> {
  for (let from = 0; from < ids.length; from += batchSize) yield ids.slice(from, from + batchSize)
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
