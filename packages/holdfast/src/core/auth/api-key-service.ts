import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Clock, systemClock } from '../../foundation/clock.ts'
import { ServiceUnavailableError, UnauthorizedError, withoutStack } from '../../foundation/errors.ts'
import { type Logger, silentLogger } from '../../foundation/logger.ts'
import { LruMap } from '../../foundation/lru-map.ts'
import type { ApiKeyRecord, ApiKeyStore } from './api-keys.ts'
import { bearerToken, isJwtShaped } from './bearer.ts'
import type { Authenticate, Principal } from './principal.ts'
import type { OnSecurityEvent, SecurityEvent } from './security-event.ts'

/** A key as it may be shown: everything but its secret and the secret's hash. */
export type ApiKeyInfo = Omit<ApiKeyRecord, 'secretHash'>

export interface ApiKeysOptions {
  readonly store: ApiKeyStore
  /**
   * What the owner of a key may do as of now; asked whenever a key is looked up. A key then never may more than its
   * owner, and nothing once there is none (`undefined`: gone or disabled). Default: a key may what it was issued for, so
   * revoke the keys of whoever loses a right.
   */
  readonly findRights?: (principalId: string) => Promise<{ readonly permissions: readonly string[] } | undefined>
  /**
   * What a key begins with, before `_`: so that a scanner of repositories finds those that leaked. 2 to 16 lower-case
   * letters and digits. Default `hfk`.
   */
  readonly prefix?: string
  /**
   * How long a key that was found is believed without asking the store, 0 to 3600. Default 30: that long a key revoked
   * by another process may go on here. 0 asks each time.
   */
  readonly cacheSeconds?: number
  /** How many keys are remembered, and as many unknown ids. Default 10 000. */
  readonly maxCached?: number
  readonly clock?: Clock
  /** Told of `api_key.issued` and `api_key.revoked`. */
  readonly onEvent?: OnSecurityEvent
  /** Told when `onEvent` fails. */
  readonly logger?: Logger
}

export interface IssueApiKey {
  /** Whom the key speaks for; the id of the principal it makes. 1 to 255 characters. */
  readonly principalId: string
  /** What its owner knows it by, 1 to 200 characters. */
  readonly name: string
  /** Its scope; the principal has these permissions and no roles. At most 256. */
  readonly permissions: readonly string[]
  /** Default never. At most ten years. */
  readonly expiresInSeconds?: number | undefined
}

export interface IssuedApiKey {
  /** Show it once: it can't be had again. */
  readonly key: string
  readonly record: ApiKeyInfo
}

/** Keys of machines: issued, shown once, listed, revoked, and checked at each call. */
export interface ApiKeys {
  /** @throws {TypeError} or {RangeError} for what no key can be made of */
  issue(request: IssueApiKey): Promise<IssuedApiKey>
  /**
   * Reads `Authorization: Bearer hfk_…`. Says `undefined` for tokens of another kind.
   *
   * @throws {UnauthorizedError} `auth.key_invalid`, or `auth.key_expired` to who holds the secret
   */
  readonly authenticate: Authenticate
  list(principalId: string): Promise<readonly ApiKeyInfo[]>
  /**
   * Ends a key of this principal: at once here, within `cacheSeconds` in other processes.
   *
   * @returns whether there was one
   */
  revoke(principalId: string, id: string): Promise<boolean>
  /** Ends all keys of this principal. @returns how many */
  revokeAll(principalId: string): Promise<number>
}

/** What was learnt of an id: its key, or that there is none. */
interface Finding {
  readonly key:
    | { readonly secretHash: Uint8Array; readonly expiresAt: number; readonly principal: Principal }
    | undefined
  /** On {@link Clock.elapsed}. */
  readonly freshUntil: number
}

const idBytes = 16
const secretBytes = 32
/** An unknown id is believed to be unknown no longer than this: a replica may lag behind a key just issued. */
const maxUnknownMs = 5000
/** Look-ups under way at once. */
const maxPending = 1000
const tenYears = 10 * 366 * 86_400
/** What the secrets of unknown ids are compared with, so that they cost what the known ones do. No text hashes to it. */
const noHash = new Uint8Array(32)

/**
 * API keys of the form `hfk_<id>.<secret>`: 128 random bits that find the record and 256 that prove the holder. The
 * store has the secret's SHA-256 only; a slow hash would add nothing, because a secret of that size is not guessed.
 *
 * A call with a known key costs no look-up within `cacheSeconds`, and no promise. A wrong secret for a known id costs
 * none either. Each different unknown id costs one look-up by primary key, at most 1000 of them at once (then 503
 * `auth.busy`); they are remembered apart, so a flood displaces no key. What slows a flood is the limit by address,
 * which comes before authentication.
 *
 * @throws {TypeError} or {RangeError} for options out of bounds
 */
export function createApiKeys(options: ApiKeysOptions): ApiKeys {
  const { store, prefix = 'hfk', cacheSeconds = 30, maxCached = 10_000, clock = systemClock } = options
  const { findRights, onEvent, logger = silentLogger } = options
  if (!/^[a-z][a-z0-9]{1,15}$/.test(prefix)) {
    throw new TypeError(`prefix is ${JSON.stringify(prefix)}; it must be 2 to 16 lower-case letters and digits`)
  }
  if (!(cacheSeconds >= 0 && cacheSeconds <= 3600)) {
    throw new RangeError(`cacheSeconds is ${cacheSeconds}; it must be from 0 to 3600`)
  }
  // RFC 4648 §3.5: with the pad bits zero, a key has one spelling.
  const keyForm = new RegExp(`^${prefix}_([\\w-]{21}[AQgw])\\.([\\w-]{42}[AEIMQUYcgkosw048])$`)
  const known = new LruMap<string, Finding>(maxCached)
  const unknown = new LruMap<string, Finding>(maxCached)
  const pending = new Map<string, Promise<Finding>>()

  const find = (id: string): Finding | Promise<Finding> => {
    const finding = known.get(id) ?? unknown.get(id)
    if (finding !== undefined && clock.elapsed() < finding.freshUntil) return finding
    return pending.get(id) ?? ask(id)
  }

  /** The key, cut down to what its owner may as of now. */
  const within = async (record: ApiKeyRecord | undefined): Promise<ApiKeyRecord | undefined> => {
    if (record === undefined || findRights === undefined) return record
    const rights = await findRights(record.principalId)
    return rights && { ...record, permissions: record.permissions.filter((one) => rights.permissions.includes(one)) }
  }

  const ask = (id: string): Promise<Finding> => {
    if (pending.size >= maxPending) throw busyError()
    const asked = store
      .find(id)
      .then(within)
      .then(
        (record) => {
          // Revoked or issued meanwhile: what was read may be older than that.
          if (pending.get(id) !== asked) return find(id)
          pending.delete(id)
          return remember(id, record)
        },
        (error: unknown) => {
          if (pending.get(id) === asked) pending.delete(id)
          throw error
        },
      )
    pending.set(id, asked)
    return asked
  }

  const remember = (id: string, record: ApiKeyRecord | undefined): Finding => {
    const forMs = record === undefined ? Math.min(maxUnknownMs, cacheSeconds * 1000) : cacheSeconds * 1000
    const finding = { key: record && toKey(record), freshUntil: clock.elapsed() + forMs }
    forget(id)
    if (forMs > 0) (record === undefined ? unknown : known).set(id, finding)
    return finding
  }

  const forget = (id: string): void => {
    known.delete(id)
    unknown.delete(id)
  }

  const admit = ({ key }: Finding, secretHash: Uint8Array): Principal => {
    const isHolder = equals(secretHash, key?.secretHash ?? noHash)
    if (key === undefined || !isHolder) throw invalidError()
    if (clock.now() >= key.expiresAt) throw expiredError()
    return key.principal
  }

  const onFailure = (error: unknown): void => logger.error({ err: error }, 'A listener to security events failed')
  const report = (event: SecurityEvent): void => {
    try {
      // A listener may well be an async function, whatever its type says.
      const told: unknown = onEvent?.(event)
      if (told instanceof Promise) told.catch(onFailure)
    } catch (error) {
      onFailure(error)
    }
  }

  const revoke = async (principalId: string, id: string): Promise<boolean> => {
    const wasThere = await store.revoke(principalId, id)
    forget(id)
    pending.delete(id)
    if (wasThere) report({ type: 'api_key.revoked', principalId, detail: { keyId: id } })
    return wasThere
  }

  return {
    async issue(request) {
      assertRequest(request)
      const { principalId, name, permissions, expiresInSeconds } = request
      const id = randomBytes(idBytes).toString('base64url')
      const secret = randomBytes(secretBytes).toString('base64url')
      const expiresAt = expiresInSeconds === undefined ? undefined : clock.now() + expiresInSeconds * 1000
      const record: ApiKeyInfo = Object.freeze({
        id,
        principalId,
        name,
        permissions: Object.freeze([...permissions]),
        expiresAt,
      })
      await store.insert({ ...record, secretHash: sha256(secret) })
      report({ type: 'api_key.issued', principalId, detail: { keyId: id } })
      return { key: `${prefix}_${id}.${secret}`, record }
    },

    authenticate(credentials) {
      const token = bearerToken(credentials)
      if (token === undefined || !token.startsWith(`${prefix}_`) || isJwtShaped(token)) return undefined
      const [, id, secret] = keyForm.exec(token) ?? []
      if (id === undefined || secret === undefined) throw invalidError()
      const secretHash = sha256(secret)
      const finding = find(id)
      return finding instanceof Promise ? finding.then((found) => admit(found, secretHash)) : admit(finding, secretHash)
    },

    list: (principalId) => store.list(principalId),

    revoke,

    async revokeAll(principalId) {
      let revoked = 0
      for (const { id } of await store.list(principalId)) if (await revoke(principalId, id)) revoked += 1
      return revoked
    },
  }
}

function toKey(record: ApiKeyRecord): NonNullable<Finding['key']> {
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

const sha256 = (secret: string): Uint8Array => hash('sha256', secret, 'buffer')

/** In constant time. A hash of another length comes from a damaged record and fits nothing. */
const equals = (presented: Uint8Array, stored: Uint8Array): boolean =>
  stored.length === presented.length && timingSafeEqual(presented, stored)

function assertRequest({ principalId, name, permissions, expiresInSeconds }: IssueApiKey): void {
  if (!isText(principalId, 255)) throw new TypeError('principalId of a key must be a text of 1 to 255 characters')
  if (!isText(name, 200)) throw new TypeError('name of a key must be a text of 1 to 200 characters')
  if (!Array.isArray(permissions) || permissions.length > 256 || !permissions.every((one) => isText(one, 255))) {
    throw new TypeError('permissions of a key must be a list of at most 256 texts of 1 to 255 characters')
  }
  if (expiresInSeconds === undefined) return
  if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > tenYears) {
    throw new RangeError(`expiresInSeconds is ${expiresInSeconds}; it must be a whole number from 1 to ${tenYears}`)
  }
}

const isText = (value: unknown, maxLength: number): boolean =>
  typeof value === 'string' && value.length >= 1 && value.length <= maxLength

const invalidError = (): UnauthorizedError =>
  withoutStack(() => new UnauthorizedError('The API key is not valid.', { code: 'auth.key_invalid' }))

const expiredError = (): UnauthorizedError =>
  withoutStack(() => new UnauthorizedError('The API key has expired; issue a new one.', { code: 'auth.key_expired' }))

const busyError = (): ServiceUnavailableError =>
  withoutStack(
    () =>
      new ServiceUnavailableError('auth.busy', 'Too many keys are being looked up; try again shortly.', {
        retryAfterSeconds: 1,
      }),
  )
