import type { Clock } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { AccessTokens } from './access-token.ts'
import type { Authenticate } from './principal.ts'
import type { OnSecurityEvent } from './security-event.ts'
import type { SessionRecord, SessionStore } from './session-store.ts'

export interface SessionsOptions {
  readonly store: SessionStore
  readonly tokens: AccessTokens
  /**
   * What a principal may do as of now; asked at sign-in and at each refresh. `undefined` for one that is gone or
   * disabled: its session ends.
   */
  readonly findRights: (
    principalId: string,
  ) => Promise<{ readonly roles: readonly string[]; readonly permissions: readonly string[] } | undefined>
  /** A session ends when unused for so many seconds. Default 14 days. */
  readonly idleSeconds?: number
  /** A session ends after so many seconds in any case. Default 90 days. */
  readonly lifetimeSeconds?: number
  /** A used refresh token gives the same successor for so many seconds. Default 20. */
  readonly replaySeconds?: number
  /** How often revocations are read, beside being told of them. Default 5000 ms. */
  readonly syncMs?: number
  /**
   * When revocations could not be read for so many seconds, access tokens are refused with 503 rather than believed.
   * Default 60.
   */
  readonly maxStalenessSeconds?: number
  readonly onEvent?: OnSecurityEvent
  readonly logger?: Logger
  readonly clock?: Clock
}

/** What a client gets when it signs in or refreshes. */
export interface SignedIn {
  readonly accessToken: string
  readonly expiresInSeconds: number
  readonly refreshToken: string
  /** Whole seconds until the refresh token is of no use unless refreshed; the `Max-Age` of a cookie. */
  readonly refreshExpiresInSeconds: number
  readonly session: SessionRecord
}

/** Sessions of people: signed in once, refreshed, listed and ended, on every process at once. */
export interface Sessions {
  /** Call it after the credentials were checked. @throws {UnauthorizedError} when the principal has no rights any more */
  start(principalId: string, options?: { readonly label?: string | undefined }): Promise<SignedIn>
  /** @throws {UnauthorizedError} `auth.refresh_invalid`, for whatever reason */
  refresh(refreshToken: string): Promise<SignedIn>
  list(principalId: string): Promise<readonly SessionRecord[]>
  /** Ends one session of this principal. @returns whether there was one */
  end(principalId: string, sessionId: string): Promise<boolean>
  /** Ends all sessions of this principal. @returns how many */
  endAll(principalId: string, options?: { readonly except?: string | undefined }): Promise<number>
  /** Has the clients of this principal refresh before their next call, because its rights changed. */
  outdate(principalId: string): Promise<void>
  /** Reads `Authorization: Bearer …`, verifies it and checks that its session goes on. */
  readonly authenticate: Authenticate
  /** Reads what was revoked and keeps up from then on. @throws when the store can't be reached */
  open(): Promise<void>
  close(): Promise<void>
}
