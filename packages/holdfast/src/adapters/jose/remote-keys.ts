import type { Clock } from '../../foundation/clock.ts'
import { ServiceUnavailableError, withoutStack } from '../../foundation/errors.ts'
import type { Logger } from '../../foundation/logger.ts'
import { fetchJwks } from './fetch-jwks.ts'
import { type AsymmetricAlgorithm, fitsAlgorithm, type Jwk, readPublicKey, type VerificationKey } from './jwk.ts'
import { keepSame, retireAllBut } from './key-set.ts'

export interface RemoteKeysOptions {
  readonly url: URL
  readonly algorithms: readonly AsymmetricAlgorithm[]
  readonly timeoutMs: number
  readonly maxBytes: number
  /** Keys this old are fetched anew before one of them is used. */
  readonly freshMs: number
  /** Keys this old are used no more, however unreachable the issuer. */
  readonly keepMs: number
  /** Between two fetches on account of unknown ids. */
  readonly cooldownMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/** After a failure it is tried again this soon, if the cool-down is not shorter. */
const retryMs = 5000
/** Of those who show an unknown id while a fetch runs, so many wait for it; the others are refused. */
const maxWaiting = 100
const maxKeys = 100

/**
 * The keys another issuer publishes: fetched on first use, anew when old or when an id is unknown, one fetch at a time
 * and one per cool-down. Keeps what it has when a fetch fails.
 */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions
  #byKid: ReadonlyMap<string, VerificationKey> = new Map()
  #loadedAt: number | undefined
  #triedAt = Number.NEGATIVE_INFINITY
  #hasFailed = false
  #loading: Promise<void> | undefined
  #waiting = 0

  constructor(options: RemoteKeysOptions) {
    this.#options = options
  }

  /** @throws {ServiceUnavailableError} `auth.keys_unavailable`, or rejects with it, when there are no keys to look among */
  find(kid: string): VerificationKey | undefined | Promise<VerificationKey | undefined> {
    const ageMs = this.#ageMs()
    if (ageMs >= this.#options.keepMs) return this.#loadAndFind(kid)
    const key = this.#byKid.get(kid)
    if (key === undefined) return this.#findUnknown(kid)
    if (ageMs < this.#options.freshMs || !this.#mayLoad()) return key
    const loading = this.#load()
    // Whoever does not answer made one round of callers wait; the next ones go on with what there is.
    return this.#hasFailed ? key : loading.then(() => this.#byKid.get(kid))
  }

  #loadAndFind(kid: string): Promise<VerificationKey | undefined> {
    if (!this.#mayLoad()) throw unavailableError(this.#restMs())
    return this.#load().then(() => {
      if (this.#ageMs() >= this.#options.keepMs) throw unavailableError(this.#restMs())
      return this.#byKid.get(kid)
    })
  }

  #findUnknown(kid: string): undefined | Promise<VerificationKey | undefined> {
    if (!this.#mayLoad() || this.#waiting >= maxWaiting) return undefined
    this.#waiting++
    return this.#load().then(() => {
      this.#waiting--
      return this.#byKid.get(kid)
    })
  }

  #ageMs(): number {
    return this.#loadedAt === undefined ? Number.POSITIVE_INFINITY : this.#options.clock.elapsed() - this.#loadedAt
  }

  /** Whether a fetch runs that may be joined, or one may start. */
  #mayLoad(): boolean {
    return this.#loading !== undefined || this.#restMs() <= 0
  }

  #restMs(): number {
    const { clock, cooldownMs } = this.#options
    return this.#triedAt + (this.#hasFailed ? Math.min(retryMs, cooldownMs) : cooldownMs) - clock.elapsed()
  }

  /** Never rejects. */
  #load(): Promise<void> {
    return (this.#loading ??= this.#fetch())
  }

  async #fetch(): Promise<void> {
    const { clock } = this.#options
    try {
      this.#adopt(await fetchJwks(this.#options))
      this.#loadedAt = clock.elapsed()
      this.#hasFailed = false
    } catch (error) {
      this.#hasFailed = true
      this.#report(error)
    } finally {
      // From its end, so that a slow issuer gets a rest too.
      this.#triedAt = clock.elapsed()
      this.#loading = undefined
    }
  }

  #report(error: unknown): void {
    const keys = this.#loadedAt === undefined ? 'none' : 'kept'
    try {
      this.#options.logger.warn(
        { err: error, host: this.#options.url.host, keys },
        'The keys of an issuer could not be fetched',
      )
    } catch {
      // A logger that fails must not make keys fail that are there.
    }
  }

  #adopt(jwks: readonly Jwk[]): void {
    const before = this.#byKid
    const byKid = new Map<string, VerificationKey>()
    for (const jwk of jwks) {
      const key = this.#read(jwk)
      if (key !== undefined && !byKid.has(key.kid) && byKid.size < maxKeys) byKid.set(key.kid, keepSame(key, before))
    }
    if (byKid.size === 0) throw new Error('a key set without a usable key')
    this.#byKid = byKid
    retireAllBut(byKid, before)
  }

  /** `undefined` for keys of other purposes and types, which a published set may hold. */
  #read(jwk: Jwk): VerificationKey | undefined {
    const { kid, use, key_ops: operations } = jwk
    if (typeof kid !== 'string' || kid === '' || kid.length > 512) return undefined
    if (use !== undefined && use !== 'sig') return undefined
    if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
    const alg = chooseAlgorithm(jwk, this.#options.algorithms)
    const key = alg === undefined ? undefined : readPublicKey(jwk, kid, alg)
    return typeof key === 'string' ? undefined : key
  }
}

/** The key's own `alg`, if allowed; for a key without, the one allowed algorithm of its type. */
function chooseAlgorithm(jwk: Jwk, allowed: readonly AsymmetricAlgorithm[]): AsymmetricAlgorithm | undefined {
  if (jwk['alg'] !== undefined) return allowed.find((alg) => alg === jwk['alg'])
  const fitting = allowed.filter((alg) => fitsAlgorithm(jwk, alg))
  return fitting.length === 1 ? fitting[0] : undefined
}

const unavailableError = (restMs: number): ServiceUnavailableError =>
  withoutStack(
    () =>
      new ServiceUnavailableError('auth.keys_unavailable', 'Tokens can not be checked right now; try again shortly.', {
        retryAfterSeconds: Math.max(1, Math.ceil(restMs / 1000)),
      }),
  )
