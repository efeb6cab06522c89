import type { Clock } from '../../foundation/clock.ts'
import { ServiceUnavailableError, withoutStack } from '../../foundation/errors.ts'
import { LruMap } from '../../foundation/lru-map.ts'
import { shown, wholeNumber } from '../../foundation/whole-number.ts'
import type { ApiKeyRecord } from './api-key-store.ts'
import type { ApiKeysOptions } from './api-keys.ts'
import type { Principal } from './principal.ts'

/** A key as each call needs it. */
export interface KnownKey {
  readonly secretHash: Uint8Array
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  readonly principal: Principal
}

/** What was learnt of an id: its key, or that there is none. */
interface Finding {
  readonly key: KnownKey | undefined
  /** On {@link Clock.elapsed}. */
  readonly freshUntil: number
}

/** An unknown id is believed to be unknown no longer than this: a replica may lag behind a key just issued. */
const maxUnknownMs = 5000
/** Look-ups under way at once. */
const maxPending = 1000

/** Keys by id: from memory for a while, else from the store, one look-up per id at a time. */
export class KeyFinder {
  readonly #store: ApiKeysOptions['store']
  readonly #findRights: ApiKeysOptions['findRights']
  readonly #clock: Clock
  readonly #cacheMs: number
  readonly #known: LruMap<string, Finding>
  // Apart, so that a flood of ids nobody has displaces no key.
  readonly #unknown: LruMap<string, Finding>
  readonly #pending = new Map<string, Promise<KnownKey | undefined>>()

  /** @throws {RangeError} for `cacheSeconds` or `maxCached` out of bounds */
  constructor({ store, findRights, cacheSeconds = 30, maxCached = 10_000 }: ApiKeysOptions, clock: Clock) {
    if (!(cacheSeconds >= 0 && cacheSeconds <= 3600)) {
      throw new RangeError(`cacheSeconds is ${shown(cacheSeconds)}; it must be from 0 to 3600`)
    }
    wholeNumber('maxCached', maxCached, 1, 10_000_000)
    this.#store = store
    this.#findRights = findRights
    this.#clock = clock
    this.#cacheMs = cacheSeconds * 1000
    this.#known = new LruMap(maxCached)
    this.#unknown = new LruMap(maxCached)
  }

  /**
   * Without a promise for an id that was looked up lately.
   * @throws {ServiceUnavailableError} `auth.busy` when too many are being looked up
   */
  find(id: string): KnownKey | undefined | Promise<KnownKey | undefined> {
    const finding = this.#known.get(id) ?? this.#unknown.get(id)
    if (finding !== undefined && this.#clock.elapsed() < finding.freshUntil) return finding.key
    return this.#pending.get(id) ?? this.#ask(id)
  }

  /** Also what a look-up under way is about to find: it may have been read before the change. */
  forget(id: string): void {
    this.#pending.delete(id)
    this.#known.delete(id)
    this.#unknown.delete(id)
  }

  #ask(id: string): Promise<KnownKey | undefined> {
    if (this.#pending.size >= maxPending) throw busyError()
    const asked: Promise<KnownKey | undefined> = this.#store
      .find(id)
      .then((record) => this.#within(record))
      .then(
        (record) => (this.#pending.get(id) === asked ? this.#remember(id, record) : this.find(id)),
        (error: unknown) => {
          if (this.#pending.get(id) === asked) this.#pending.delete(id)
          throw error
        },
      )
    this.#pending.set(id, asked)
    return asked
  }

  /** The key, cut down to what its owner may as of now. */
  async #within(record: ApiKeyRecord | undefined): Promise<ApiKeyRecord | undefined> {
    if (record === undefined || this.#findRights === undefined) return record
    const rights = await this.#findRights(record.principalId)
    return rights && { ...record, permissions: record.permissions.filter((one) => rights.permissions.includes(one)) }
  }

  #remember(id: string, record: ApiKeyRecord | undefined): KnownKey | undefined {
    this.forget(id)
    const forMs = record === undefined ? Math.min(maxUnknownMs, this.#cacheMs) : this.#cacheMs
    const finding: Finding = { key: record && toKnownKey(record), freshUntil: this.#clock.elapsed() + forMs }
    if (forMs > 0) (record === undefined ? this.#unknown : this.#known).set(id, finding)
    return finding.key
  }
}

function toKnownKey(record: ApiKeyRecord): KnownKey {
  return {
    secretHash: record.secretHash,
    expiresAt: record.expiresAt ?? Number.POSITIVE_INFINITY,
    principal: Object.freeze({
      id: record.principalId,
      roles: Object.freeze([]),
      permissions: Object.freeze([...record.permissions]),
      keyId: record.id,
    }),
  }
}

const busyError = (): ServiceUnavailableError =>
  withoutStack(
    () =>
      new ServiceUnavailableError('auth.busy', 'Too many keys are being looked up; try again shortly.', {
        retryAfterSeconds: 1,
      }),
  )
