import type { Clock } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { AccessTokens } from './access-token.ts'
import type { Authenticate, Principal } from './principal.ts'
import type { OnSecurityEvent } from './security-event.ts'
import type { SessionRecord, SessionStore } from './session-store.ts'

export interface SessionsOptions {
  readonly store: SessionStore
  readonly tokens: AccessTokens
  /**
   * What a principal may do as of now; asked at sign-in and at each refresh. `undefined` for one that is gone or
   * disabled: its session ends. When it throws, nothing has been used up: the client may try again with the same token.
   */
  readonly findRights: (
    principalId: string,
  ) => Promise<{ readonly roles: readonly string[]; readonly permissions: readonly string[] } | undefined>
  /** A session ends when unused for so many seconds; not above `lifetimeSeconds`. Default 14 days. */
  readonly idleSeconds?: number
  /** A session ends after so many seconds in any case, 60 to 31 536 000. Default 90 days. */
  readonly lifetimeSeconds?: number
  /**
   * A used refresh token gives the same successor for so many seconds, 0 to 300, because tabs ask twice and answers get
   * lost; after that its use ends the session, since somebody else may hold it. With 0, two tabs that refresh at once
   * sign their owner out. Default 20.
   */
  readonly replaySeconds?: number
  /**
   * Who signs in beyond so many sessions, 1 to 1000, is signed out where the last use is longest ago. Without a bound
   * whoever knows a password could open so many that no change of it ends them all in time. Default 100.
   */
  readonly maxPerPrincipal?: number
  /** How often revocations are read, beside being told of them, 50 to 60 000 ms. Default 5000. */
  readonly syncMs?: number
  /**
   * When revocations could not be read for so many seconds, access tokens are refused with 503 rather than believed;
   * at least twice `syncMs`. Default 60.
   */
  readonly maxStalenessSeconds?: number
  /**
   * Told of `session.started`, `session.ended`, `session.all_ended`, `session.reuse_detected` and
   * `session.rights_outdated`. Refreshing is no event: it happens to every client all day.
   */
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
  /**
   * Call it after the credentials were checked.
   *
   * @param principalId - 1 to 255 characters, none of them a control character
   * @param options.label - such as `Firefox on Linux`; control characters are taken out, and what is beyond 200
   * @throws {UnauthorizedError} when the principal has no rights any more
   * @throws {TypeError} for an id that is none
   */
  start(principalId: string, options?: { readonly label?: string | undefined }): Promise<SignedIn>
  /**
   * Trades a refresh token for a new one and a new access token. Of many calls with one token all get the same.
   *
   * @throws {UnauthorizedError} `auth.refresh_invalid`, in the same words for whatever reason
   * @throws {ServiceUnavailableError} when the store can't be reached; the client keeps its token and tries again
   * @see RFC 9700 §4.14.2
   */
  refresh(refreshToken: string): Promise<SignedIn>
  list(principalId: string): Promise<readonly SessionRecord[]>
  /** Ends one session of this principal. @returns whether there was one */
  end(principalId: string, sessionId: string): Promise<boolean>
  /**
   * Ends the session whose token this principal came with, for `/logout`.
   *
   * @returns whether there was one; false for a principal without a session, such as one of an API key
   */
  signOut(principal: Principal): Promise<boolean>
  /**
   * Ends the session that a refresh token belongs to, also when its access token has expired and nobody is signed in.
   * Any token of the session does, a used one too.
   *
   * @returns whether there was one
   */
  signOutByToken(refreshToken: string): Promise<boolean>
  /** Ends all sessions of this principal. @returns how many */
  endAll(principalId: string, options?: { readonly except?: string | undefined }): Promise<number>
  /** Has the clients of this principal refresh before their next call, because its rights changed. */
  outdate(principalId: string): Promise<void>
  /**
   * Reads `Authorization: Bearer …`, verifies it and checks, without asking the store, that its session goes on.
   * Answers without a promise for a token that was verified lately. Leaves bearer tokens that are no JWT to others.
   *
   * @throws {UnauthorizedError} `auth.session_ended`, or `auth.token_outdated` when a refresh helps, beside what the
   *   tokens throw
   * @throws {ServiceUnavailableError} `auth.revocations_unknown` before `open`, and when revocations could not be read
   *   for `maxStalenessSeconds`
   */
  readonly authenticate: Authenticate
  /**
   * The store's time as far as we know it, in milliseconds since 1970: a step of this machine's clock does not move it.
   * Before `open` it is this machine's. Give it to the access tokens, so that all processes agree when they expire:
   * `createAccessTokens({ …, clock: { ...systemClock, now: () => sessions.now() } })`.
   */
  now(): number
  /**
   * Reads what was revoked and keeps up from then on; about once an hour it has the store forget what is over. Memory:
   * some 150 bytes for each session that was ended within the life of an access token.
   *
   * @throws when the store can't be reached
   */
  open(): Promise<void>
  close(): Promise<void>
}
