/** A signed-in device: one family of refresh tokens. */
export interface SessionRecord {
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
  readonly id: string
  readonly principalId: string
  readonly label: string
  /** SHA-256 of the first refresh token. */
  readonly tokenHash: Uint8Array
  /** Ends when unused for this long. */
  readonly idleMs: number
  /** Ends after this long in any case. */
  readonly lifetimeMs: number
}

export interface RotateRequest {
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
  /** The presented token was consumed now, or less than `replayMs` ago: this is the one successor it will ever have. */
  | {
      readonly outcome: 'rotated' | 'replayed'
      readonly session: SessionRecord
      readonly sealedSuccessor: Uint8Array
    }
  /** The token was used long before. Its session has been ended by this very step. */
  | { readonly outcome: 'reused'; readonly session: SessionRecord }
  /** Nobody knows the token, or its session has ended. */
  | { readonly outcome: 'unknown' }

/** What access tokens are no longer good for. */
export type Revocation =
  /** All of one session. */
  | { readonly sessionId: string; readonly at: number }
  /** All of a principal that were issued before `at`: its roles changed. Its sessions go on. */
  | { readonly principalId: string; readonly at: number }

export interface RevocationBatch {
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

/**
 * Where sessions live. All times are the store's own, so that processes whose clocks differ agree. Fill it with
 * `createPostgresSessionStore` (`holdfast/postgres`) or `createRedisSessionStore` (`holdfast/redis`); prove an own one
 * with `sessionStoreSuite` of `holdfast/testing`.
 */
export interface SessionStore {
  create(session: NewSession): Promise<SessionRecord>
  /** One atomic step: of many requests with one token, one consumes it and all learn the same successor. */
  rotate(request: RotateRequest): Promise<Rotation>
  /** The sessions of a principal that have not ended, latest use first. */
  list(principalId: string): Promise<readonly SessionRecord[]>
  /**
   * Ends sessions of this principal and nobody else's, and makes it known to {@link revocations} and {@link subscribe}.
   * @returns the ids of those that ended now
   */
  end(principalId: string, which: { readonly only?: string; readonly except?: string }): Promise<readonly string[]>
  /** Makes access tokens of a principal that were issued until now stale, because its roles changed. */
  outdate(principalId: string): Promise<void>
  /**
   * What was revoked since `cursor`, or within `withinMs` without one. Never misses one; may repeat some.
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
