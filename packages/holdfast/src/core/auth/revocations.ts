import type { Clock, Timer } from '../../foundation/clock.ts'
import { ServiceUnavailableError, UnauthorizedError, withoutStack } from '../../foundation/errors.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { AccessClaims } from './access-token.ts'
import type { Revocation, RevocationBatch, SessionStore } from './session-store.ts'

export interface RevocationsOptions {
  readonly store: Pick<SessionStore, 'revocations' | 'subscribe'>
  /** How long an access token lives. */
  readonly tokenLifetimeMs: number
  readonly syncMs: number
  readonly maxStalenessMs: number
  readonly logger: Logger
  readonly clock: Clock
}

/** Beyond the life of a token, for those who let one live a little longer because clocks differ. */
export const toleranceMs = 60_000

const retryMs = 1000
const freshOffsetMs = 60_000

/**
 * What access tokens are no longer good for, in the memory of this process, so that asking costs no query.
 * Told of each revocation by the store's bus, and reads them all the same: a message may get lost, a read does not.
 * Only durations of this machine's clock are used, none of its dates.
 */
export class Revocations {
  readonly #options: RevocationsOptions
  readonly #keepMs: number
  // By when they were learned, which is the order of insertion: the first are the first to be forgotten.
  readonly #endedSessions = new Map<string, number>()
  readonly #outdatedPrincipals = new Map<string, { readonly at: number; readonly learnedAt: number }>()
  #notBefore = 0
  #cursor: string | undefined
  /** When the newest successful read began: until then nothing can be missing. */
  #knownUntil = -Infinity
  #storeClock: { readonly offset: number; readonly learnedAt: number } | undefined
  #reading: Promise<void> | undefined
  #mustReadAgain = false
  #isFailing = false
  #isOpen = false
  #opening: Promise<void> | undefined
  #timer: Timer | undefined
  #unsubscribe: (() => Promise<void>) | undefined

  constructor(options: RevocationsOptions) {
    this.#options = options
    this.#keepMs = options.tokenLifetimeMs + toleranceMs
  }

  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#opening = undefined
    this.#timer?.cancel()
    this.#cursor = undefined
    const unsubscribe = this.#unsubscribe
    this.#unsubscribe = undefined
    await unsubscribe?.()
  }

  /** @throws {UnauthorizedError | ServiceUnavailableError} unless the token is as good as when it was issued */
  assertGood({ sessionId, principalId, issuedAt }: AccessClaims): void {
    if (this.#options.clock.elapsed() - this.#knownUntil > this.#options.maxStalenessMs) throw this.#unknown()
    // Seconds with a fraction, as tokens carry them, do not come back as the very same milliseconds.
    const issued = Math.round(issuedAt)
    if (this.#endedSessions.has(sessionId) || issued < this.#notBefore) throw sessionEnded()
    const outdated = this.#outdatedPrincipals.get(principalId)
    if (outdated !== undefined && issued <= outdated.at) throw tokenOutdated()
    // What ended it may be forgotten by now. Only a clock that was stepped has a token look good for so long.
    if (issued < this.now() - this.#keepMs) throw tokenOutdated()
  }

  add(revocation: Revocation): void {
    const learnedAt = this.#options.clock.elapsed()
    this.#forget(learnedAt)
    if ('sessionId' in revocation) this.#addSession(revocation.sessionId, learnedAt)
    else this.#addPrincipal(revocation.principalId, revocation.at, learnedAt)
  }

  /** The store's time, or a little before. */
  now(): number {
    const { clock } = this.#options
    return this.#storeClock === undefined ? clock.now() : Math.floor(this.#storeClock.offset + clock.elapsed())
  }

  /** How many are known at this moment. */
  get size(): number {
    return this.#endedSessions.size + this.#outdatedPrincipals.size
  }

  async #open(): Promise<void> {
    this.#isOpen = true
    try {
      // Before the first read, so that nothing falls between the two.
      this.#unsubscribe = await this.#options.store.subscribe(
        (revocation) => this.add(revocation),
        () => this.#onGap(),
      )
      await this.#read()
    } catch (error) {
      await this.close()
      throw error
    }
    if (this.#isOpen) this.#scheduleNext()
    // Closed while it opened: what came to stand since is taken down again.
    else await this.close()
  }

  #addSession(sessionId: string, learnedAt: number): void {
    // Reads repeat themselves; what is known already keeps its age.
    if (!this.#endedSessions.has(sessionId)) this.#endedSessions.set(sessionId, learnedAt)
  }

  #addPrincipal(principalId: string, at: number, learnedAt: number): void {
    const known = this.#outdatedPrincipals.get(principalId)
    if (known !== undefined && known.at >= at) return
    this.#outdatedPrincipals.delete(principalId)
    this.#outdatedPrincipals.set(principalId, { at, learnedAt })
  }

  #forget(elapsed: number): void {
    const isOld = (learnedAt: number): boolean => elapsed - learnedAt > this.#keepMs
    for (const [sessionId, learnedAt] of this.#endedSessions) {
      if (!isOld(learnedAt)) break
      this.#endedSessions.delete(sessionId)
    }
    for (const [principalId, { learnedAt }] of this.#outdatedPrincipals) {
      if (!isOld(learnedAt)) break
      this.#outdatedPrincipals.delete(principalId)
    }
  }

  /** Messages were lost, or the store is another one since: what the cursor stands for may be gone with it. */
  #onGap(): void {
    this.#cursor = undefined
    if (!this.#isOpen) return
    if (this.#reading === undefined) this.#readAndGoOn()
    else this.#mustReadAgain = true
  }

  #scheduleNext(): void {
    this.#schedule(this.#mustReadAgain ? 0 : this.#options.syncMs)
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel()
    if (this.#isOpen) this.#timer = this.#options.clock.schedule(delayMs, () => this.#readAndGoOn())
  }

  #readAndGoOn(): void {
    this.#timer?.cancel()
    this.#read().then(
      () => this.#scheduleNext(),
      (error: unknown) => this.#onFailure(error),
    )
  }

  #onFailure(error: unknown): void {
    if (!this.#isOpen) return
    if (!this.#isFailing) {
      const message = 'Revoked sessions cannot be read; access tokens will be refused unless that changes soon'
      this.#options.logger.warn({ err: error, maxStalenessMs: this.#options.maxStalenessMs }, message)
    }
    this.#isFailing = true
    // After an outage the store may have been restored from elsewhere, where our cursor means nothing.
    this.#cursor = undefined
    this.#schedule(Math.min(this.#options.syncMs, retryMs))
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readOnce(): Promise<void> {
    const { store, clock } = this.#options
    const askedAt = clock.elapsed()
    this.#mustReadAgain = false
    const batch = await this.#bounded(store.revocations({ withinMs: this.#keepMs, cursor: this.#cursor }))
    this.#learnTime(batch)
    for (const revocation of batch.revocations) this.add(revocation)
    this.#forget(clock.elapsed())
    this.#notBefore = batch.notBefore
    this.#cursor = this.#mustReadAgain ? undefined : batch.cursor
    this.#knownUntil = askedAt
    if (this.#isFailing) this.#options.logger.info({}, 'Revoked sessions can be read again')
    this.#isFailing = false
  }

  /** A read that never ends must not be the last one. */
  #bounded(read: Promise<RevocationBatch>): Promise<RevocationBatch> {
    const { clock, maxStalenessMs } = this.#options
    return new Promise((resolve, reject) => {
      const timeoutMs = Math.max(retryMs, maxStalenessMs / 3)
      const timer = clock.schedule(timeoutMs, () => reject(new Error(`The store gave no answer in ${timeoutMs} ms`)))
      read.then(resolve, reject).finally(() => timer.cancel())
    })
  }

  // The answer was on its way for a while, so the store's clock is further on than this says: never too late, which
  // is the safe side for telling what was issued before a change. The closest guess of the last minute counts.
  #learnTime({ now }: RevocationBatch): void {
    const learnedAt = this.#options.clock.elapsed()
    const offset = now - learnedAt
    const known = this.#storeClock
    const isBetter = known === undefined || offset >= known.offset || learnedAt - known.learnedAt > freshOffsetMs
    if (isBetter) this.#storeClock = { offset, learnedAt }
  }

  #unknown(): ServiceUnavailableError {
    const retryAfterSeconds = Math.ceil(Math.min(this.#options.syncMs, retryMs) / 1000)
    return withoutStack(
      () =>
        new ServiceUnavailableError(
          'auth.revocations_unknown',
          'Whether this sign-in goes on cannot be told at the moment. Try again shortly.',
          { retryAfterSeconds },
        ),
    )
  }
}

const sessionEnded = (): UnauthorizedError =>
  withoutStack(() => new UnauthorizedError('This sign-in has ended. Sign in again.', { code: 'auth.session_ended' }))

const tokenOutdated = (): UnauthorizedError =>
  withoutStack(
    () =>
      new UnauthorizedError('What you may do has changed. Refresh the access token.', { code: 'auth.token_outdated' }),
  )
