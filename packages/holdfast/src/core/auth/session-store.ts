/** A signed-in device: one family of refresh tokens. */
export interface SessionRecord {
  /** A UUID. */
  readonly id: string
  readonly principalId: string
  /** What its owner may recognise it by, such as `Firefox on Linux`; at most 200 characters. */
  readonly label: string
  /** Milliseconds since 1970, on the store's clock. */
  readonly createdAt: number
  readonly lastUsedAt: number
  /** When it ends however busy it is. */
  readonly expiresAt: number
}

export interface NewSession {
  /** A UUID. */
  readonly id: string
  readonly principalId: string
  readonly label: string
  /** SHA-256 of the secret that every refresh token of this session carries. */
  readonly familyHash: Uint8Array
  /** SHA-256 of the first refresh token. */
  readonly tokenHash: Uint8Array
  /** Ends when unused for this long. */
  readonly idleMs: number
  /** Ends after this long in any case. */
  readonly lifetimeMs: number
}

/** What a refresh token says of where it belongs. */
export interface SessionKey {
  readonly sessionId: string
  /** Who knows its origin was given a token of this session: to all others the session does not exist. */
  readonly familyHash: Uint8Array
}

export interface FoundSession {
  readonly session: SessionRecord
  /** Milliseconds since 1970 on the store's clock, taken before the session was read. */
  readonly now: number
}

export interface RotateRequest extends SessionKey {
  /** SHA-256 of the refresh token that was presented. */
  readonly tokenHash: Uint8Array
  /** SHA-256 of the token that follows, should this request win. */
  readonly successorHash: Uint8Array
  /** That token, readable by whoever holds the presented one and by nobody else. */
  readonly sealedSuccessor: Uint8Array
  /** For this long after its use a token gives its successor once more, for clients that lost the answer or asked twice. */
  readonly replayMs: number
  readonly idleMs: number
}

export type Rotation =
  /**
   * The presented token was consumed now, or less than `replayMs` ago. `sealedSuccessors` begins with the one successor
   * it will ever have; when that was used in turn, with its own token as the key, the next follows, and so on to the one
   * that is good now.
   */
  | {
      readonly outcome: 'rotated' | 'replayed'
      readonly session: SessionRecord
      readonly sealedSuccessors: readonly Uint8Array[]
    }
  /** A token of this family that was used long before. Its session has been ended by this very step. */
  | { readonly outcome: 'reused'; readonly session: SessionRecord }
  /** There is no such session for this token, or it has ended. */
  | { readonly outcome: 'unknown' }

/** What access tokens are no longer good for. */
export type Revocation =
  /** All of one session. */
  | { readonly sessionId: string; readonly at: number }
  /** All of a principal that were issued until `at`: its roles changed. Its sessions go on. */
  | { readonly principalId: string; readonly at: number }

export interface RevocationBatch {
  /** Oldest first. */
  readonly revocations: readonly Revocation[]
  /** Where to go on from. Opaque. */
  readonly cursor: string
  /** Milliseconds since 1970 on the store's clock. */
  readonly now: number
  /**
   * Access tokens issued before this are refused, because the store can't say which of them were revoked: it lost its
   * memory then. Milliseconds since 1970; 0 for a store that never does.
   */
  readonly notBefore: number
}

/** The longest time for which revocations have to be known: the longest life of an access token, with some to spare. */
export const maxRevocationMs: number = 25 * 3_600_000

/** Somebody with more sessions than this sees the latest ones; ending all ends all. */
export const maxListed = 1000

/** Of the tokens that a session used within the replay window, a store remembers at least so many. */
export const rememberedTokens = 32

/** Whether a text may be the id of a session: a UUID in lower case. Ids come from paths and tokens, and may be anything. */
export const isSessionId = (text: string): boolean => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(text)

/**
 * Where sessions live. All times are the store's own, so that processes whose clocks differ agree. Fill it with
 * `createPostgresSessionStore` (`holdfast/postgres`) or `createRedisSessionStore` (`holdfast/redis`); prove an own one
 * with `sessionStoreSuite` of `holdfast/testing`.
 *
 * What a store keeps of one session does not grow with its use: the hash of the token that is good now, and those used
 * within the replay window. That a token was used before is known by its family.
 */
export interface SessionStore {
  create(session: NewSession): Promise<SessionRecord>
  /** Looks at a session that has not ended, and changes nothing. */
  find(key: SessionKey): Promise<FoundSession | undefined>
  /** One atomic step: of many requests with one token, one consumes it and all learn the same successor. */
  rotate(request: RotateRequest): Promise<Rotation>
  /** The sessions of a principal that have not ended, latest use first; at most {@link maxListed}. */
  list(principalId: string): Promise<readonly SessionRecord[]>
  /**
   * Ends sessions of this principal and nobody else's, and makes it known to {@link revocations} and {@link subscribe}.
   * @returns the ids of those that ended now
   */
  end(principalId: string, which: { readonly only?: string; readonly except?: string }): Promise<readonly string[]>
  /**
   * Makes access tokens of a principal that were issued until now stale, because its roles changed.
   * @returns the moment that counts
   */
  outdate(principalId: string): Promise<number>
  /**
   * What was revoked since `cursor`, or within `withinMs` without one; at most {@link maxRevocationMs}. Never misses
   * one; may repeat some.
   */
  revocations(options: { readonly withinMs: number; readonly cursor?: string | undefined }): Promise<RevocationBatch>
  /**
   * Calls back soon after something was revoked by any process. May miss some while its connection is down; calls
   * `onGap` when it came back.
   * @returns how to stop
   */
  subscribe(onRevoked: (revocation: Revocation) => void, onGap: () => void): Promise<() => Promise<void>>
  /** Forgets what can't matter any more. @returns how many sessions */
  purge(): Promise<number>
}
