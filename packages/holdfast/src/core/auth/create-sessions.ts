import { randomUUID } from 'node:crypto'
import { systemClock, type Timer } from '../../foundation/clock.ts'
import { UnauthorizedError, withoutStack } from '../../foundation/errors.ts'
import { silentLogger } from '../../foundation/logger.ts'
import type { AccessClaims } from './access-token.ts'
import { bearer } from './bearer.ts'
import type { Principal } from './principal.ts'
import {
  hashFamily,
  hashToken,
  newRefreshToken,
  openSuccessor,
  readRefreshToken,
  sealSuccessor,
  type RefreshToken,
} from './refresh-token.ts'
import { Revocations } from './revocations.ts'
import { type SecurityEvent, tellOfEvent } from './security-event.ts'
import { readSessionLimits, type SessionLimits } from './session-limits.ts'
import { isSessionId, type SessionRecord } from './session-store.ts'
import type { Sessions, SessionsOptions, SignedIn } from './sessions.ts'

/**
 * Sessions over a store: access tokens that live for minutes and are refused everywhere once their session ends, and
 * refresh tokens that are good once. Opens nothing yet: call `open` before the service takes calls.
 *
 * @throws {RangeError} for a number out of its bounds, showing it
 */
export function createSessions(options: SessionsOptions): Sessions {
  return new StoredSessions(options)
}

type Rights = NonNullable<Awaited<ReturnType<SessionsOptions['findRights']>>>

class StoredSessions implements Sessions {
  readonly #options: SessionsOptions
  readonly #limits: SessionLimits
  readonly #revocations: Revocations
  #purging: Timer | undefined

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#limits = readSessionLimits(options)
    this.#revocations = new Revocations({
      store: options.store,
      tokenLifetimeMs: options.tokens.lifetimeSeconds * 1000,
      syncMs: this.#limits.syncMs,
      maxStalenessMs: this.#limits.maxStalenessMs,
      logger: options.logger ?? silentLogger,
      clock: options.clock ?? systemClock,
    })
  }

  async start(principalId: string, { label = '' }: { readonly label?: string | undefined } = {}): Promise<SignedIn> {
    assertPrincipalId(principalId)
    await this.#makeRoom(principalId)
    const token = newRefreshToken(randomUUID())
    const session = await this.#create(principalId, cleanLabel(label), token)
    const rights = await this.#rightsOrEnd(session)
    if (rights === undefined)
      throw refused('You cannot sign in. Ask whoever runs this service.', 'auth.sign_in_refused')
    const signedIn = await this.#toSignedIn(session, token, rights, session.createdAt)
    this.#tell({ type: 'session.started', principalId, sessionId: session.id })
    return signedIn
  }

  async refresh(refreshToken: string): Promise<SignedIn> {
    const presented = readRefreshToken(refreshToken)
    if (presented === undefined) throw refreshInvalid()
    const found = await this.#options.store.find(toKey(presented))
    if (found === undefined) throw refreshInvalid()
    // Before the token is used up: an outage in between costs nobody the session.
    const rights = await this.#options.findRights(found.session.principalId)
    if (rights === undefined) {
      await this.#end(found.session, 'rights_gone')
      throw refreshInvalid()
    }
    const { session, token } = await this.#rotate(presented)
    return await this.#toSignedIn(session, token, rights, found.now)
  }

  list(principalId: string): Promise<readonly SessionRecord[]> {
    assertPrincipalId(principalId)
    return this.#options.store.list(principalId)
  }

  async end(principalId: string, sessionId: string): Promise<boolean> {
    assertPrincipalId(principalId)
    // Such an id often comes from a path, and names nothing then.
    if (!isSessionId(sessionId)) return false
    return await this.#end({ id: sessionId, principalId }, 'asked')
  }

  async signOut({ id, sessionId }: Principal): Promise<boolean> {
    return sessionId !== undefined && (await this.end(id, sessionId))
  }

  async signOutByToken(refreshToken: string): Promise<boolean> {
    const presented = readRefreshToken(refreshToken)
    const found = presented && (await this.#options.store.find(toKey(presented)))
    return found !== undefined && (await this.#end(found.session, 'asked'))
  }

  async endAll(principalId: string, { except }: { readonly except?: string | undefined } = {}): Promise<number> {
    assertPrincipalId(principalId)
    const isOther = except === undefined || !isSessionId(except)
    const ended = await this.#options.store.end(principalId, isOther ? {} : { except })
    this.#revoke(ended)
    if (ended.length > 0) this.#tell({ type: 'session.all_ended', principalId, detail: { count: ended.length } })
    return ended.length
  }

  async outdate(principalId: string): Promise<void> {
    assertPrincipalId(principalId)
    const at = await this.#options.store.outdate(principalId)
    this.#revocations.add({ principalId, at })
    this.#tell({ type: 'session.rights_outdated', principalId })
  }

  readonly authenticate: Sessions['authenticate'] = bearer({ verify: (token) => this.#verify(token) })

  now(): number {
    return this.#revocations.now()
  }

  async open(): Promise<void> {
    await this.#revocations.open()
    this.#purgeLater()
  }

  async close(): Promise<void> {
    this.#purging?.cancel()
    this.#purging = undefined
    await this.#revocations.close()
  }

  /** At a moment of its own, or all processes of a service would do it at once. */
  #purgeLater(): void {
    const { clock = systemClock } = this.#options
    this.#purging?.cancel()
    const timer = clock.schedule(purgeMs * (0.5 + Math.random()), () => void this.#purge(timer))
    this.#purging = timer
  }

  async #purge(timer: Timer): Promise<void> {
    const { store, logger = silentLogger } = this.#options
    try {
      const sessions = await store.purge()
      if (sessions > 0) logger.debug({ sessions }, 'Sessions that are over were removed')
    } catch (error) {
      logger.warn({ err: error }, 'Sessions that are over could not be removed; trying again later')
    }
    if (this.#purging === timer) this.#purgeLater()
  }

  /** Who signs in many times at once gets some above the bound, until the next time. */
  async #makeRoom(principalId: string): Promise<void> {
    const sessions = await this.#options.store.list(principalId)
    for (const session of sessions.slice(this.#limits.maxPerPrincipal - 1)) await this.#end(session, 'too_many')
  }

  #create(principalId: string, label: string, token: RefreshToken): Promise<SessionRecord> {
    const { idleMs, lifetimeMs } = this.#limits
    return this.#options.store.create({
      id: token.sessionId,
      principalId,
      label,
      familyHash: hashFamily(token),
      tokenHash: hashToken(token),
      idleMs,
      lifetimeMs,
    })
  }

  /** Asked after the session has its date, so that a change of rights in between makes the access token stale. */
  async #rightsOrEnd(session: SessionRecord): Promise<Rights | undefined> {
    try {
      const rights = await this.#options.findRights(session.principalId)
      if (rights === undefined) await this.#end(session, 'rights_gone')
      return rights
    } catch (error) {
      // Nobody got its token; left behind it would stand in its owner's list until it expires.
      await this.#options.store.end(session.principalId, { only: session.id }).catch(() => {})
      throw error
    }
  }

  async #rotate(presented: RefreshToken): Promise<{ readonly session: SessionRecord; readonly token: RefreshToken }> {
    const { idleMs, replayMs } = this.#limits
    const successor = newRefreshToken(presented.sessionId, presented.family)
    const rotation = await this.#options.store.rotate({
      ...toKey(presented),
      tokenHash: hashToken(presented),
      successorHash: hashToken(successor),
      sealedSuccessor: sealSuccessor(presented, successor),
      idleMs,
      replayMs,
    })
    if (rotation.outcome === 'rotated') return { session: rotation.session, token: successor }
    if (rotation.outcome === 'replayed') {
      return { session: rotation.session, token: rotation.sealedSuccessors.reduce(openSuccessor, presented) }
    }
    if (rotation.outcome === 'reused') this.#onReuse(rotation.session)
    throw refreshInvalid()
  }

  #onReuse({ id, principalId }: SessionRecord): void {
    this.#revoke([id])
    this.#tell({ type: 'session.reuse_detected', principalId, sessionId: id })
  }

  async #end({ id, principalId }: Pick<SessionRecord, 'id' | 'principalId'>, reason: string): Promise<boolean> {
    const ended = await this.#options.store.end(principalId, { only: id })
    this.#revoke(ended)
    if (ended.length > 0) this.#tell({ type: 'session.ended', principalId, sessionId: id, detail: { reason } })
    return ended.length > 0
  }

  #revoke(sessionIds: readonly string[]): void {
    for (const sessionId of sessionIds) this.#revocations.add({ sessionId, at: this.now() })
  }

  /** @param issuedAt - before the rights were read */
  async #toSignedIn(session: SessionRecord, token: RefreshToken, rights: Rights, issuedAt: number): Promise<SignedIn> {
    const { roles, permissions } = rights
    const grant = { principalId: session.principalId, sessionId: session.id, roles, permissions }
    const issued = await this.#options.tokens.issue(grant, { issuedAt })
    const leftMs = Math.min(this.#limits.idleMs, session.expiresAt - session.lastUsedAt)
    return {
      accessToken: issued.token,
      expiresInSeconds: issued.expiresInSeconds,
      refreshToken: token.text,
      refreshExpiresInSeconds: Math.max(0, Math.floor(leftMs / 1000)),
      session,
    }
  }

  #verify(token: string): AccessClaims | Promise<AccessClaims> {
    const claims = this.#options.tokens.verify(token)
    return claims instanceof Promise ? claims.then((verified) => this.#stillGood(verified)) : this.#stillGood(claims)
  }

  #stillGood(claims: AccessClaims): AccessClaims {
    this.#revocations.assertGood(claims)
    return claims
  }

  #tell(event: SecurityEvent): void {
    const { onEvent, logger = silentLogger } = this.#options
    tellOfEvent(onEvent, event, logger)
  }
}

const purgeMs = 3_600_000
const controls = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu
const maxLabelLength = 200
const maxIdLength = 255

function assertPrincipalId(id: string): void {
  const isId = typeof id === 'string' && id.length > 0 && id.length <= maxIdLength && id.isWellFormed()
  if (!isId || /\p{Cc}/u.test(id)) {
    throw new TypeError(`A principal's id is 1 to ${maxIdLength} characters without control characters`)
  }
}

function cleanLabel(label: string): string {
  // Cut first: what a client sends may be long.
  const text = cut(label, 4 * maxLabelLength)
    .toWellFormed()
    .replaceAll(controls, ' ')
    .trim()
  return cut(text, maxLabelLength)
}

/** Leaves no half of a surrogate pair at the end. */
const cut = (text: string, length: number): string => text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')

function toKey(token: RefreshToken): { readonly sessionId: string; readonly familyHash: Uint8Array } {
  return { sessionId: token.sessionId, familyHash: hashFamily(token) }
}

const refused = (message: string, code: string): UnauthorizedError =>
  withoutStack(() => new UnauthorizedError(message, { code }))

const refreshInvalid = (): UnauthorizedError =>
  refused('The refresh token is not good, or no longer. Sign in again.', 'auth.refresh_invalid')
