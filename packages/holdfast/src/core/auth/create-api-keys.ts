import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Clock, systemClock } from '../../foundation/clock.ts'
import { UnauthorizedError, withoutStack } from '../../foundation/errors.ts'
import { silentLogger } from '../../foundation/logger.ts'
import { shown, wholeNumber } from '../../foundation/whole-number.ts'
import type { ApiKeyInfo, ApiKeys, ApiKeysOptions, IssueApiKey, IssuedApiKey } from './api-keys.ts'
import { bearerToken, isJwtShaped } from './bearer.ts'
import { KeyFinder, type KnownKey } from './key-finder.ts'
import type { Principal } from './principal.ts'
import { type SecurityEvent, tellOfEvent } from './security-event.ts'

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
  return new StoredApiKeys(options)
}

const idBytes = 16
const secretBytes = 32
const tenYears = 10 * 366 * 86_400
/** What the secrets of unknown ids are compared with, so that they cost what the known ones do. No text hashes to it. */
const noHash = new Uint8Array(32)

class StoredApiKeys implements ApiKeys {
  readonly #options: ApiKeysOptions
  readonly #clock: Clock
  readonly #prefix: string
  readonly #form: RegExp
  readonly #finder: KeyFinder

  constructor(options: ApiKeysOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#prefix = `${readPrefix(options.prefix)}_`
    // RFC 4648 §3.5: with the pad bits zero, a key has one spelling.
    this.#form = new RegExp(`^${this.#prefix}([\\w-]{21}[AQgw])\\.([\\w-]{42}[AEIMQUYcgkosw048])$`)
    this.#finder = new KeyFinder(options, this.#clock)
  }

  async issue(request: IssueApiKey): Promise<IssuedApiKey> {
    assertRequest(request)
    const { principalId, name, permissions, expiresInSeconds } = request
    const id = randomBytes(idBytes).toString('base64url')
    const secret = randomBytes(secretBytes).toString('base64url')
    const expiresAt = expiresInSeconds === undefined ? undefined : this.#clock.now() + expiresInSeconds * 1000
    const record: ApiKeyInfo = Object.freeze({
      id,
      principalId,
      name,
      permissions: Object.freeze([...permissions]),
      expiresAt,
    })
    await this.#options.store.insert({ ...record, secretHash: sha256(secret) })
    this.#tell({ type: 'api_key.issued', principalId, detail: { keyId: id } })
    return { key: `${this.#prefix}${id}.${secret}`, record }
  }

  readonly authenticate: ApiKeys['authenticate'] = (credentials) => {
    const token = bearerToken(credentials)
    if (token === undefined || !token.startsWith(this.#prefix) || isJwtShaped(token)) return undefined
    const [, id, secret] = this.#form.exec(token) ?? []
    if (id === undefined || secret === undefined) throw invalidError()
    const secretHash = sha256(secret)
    const found = this.#finder.find(id)
    return found instanceof Promise ? found.then((key) => this.#admit(key, secretHash)) : this.#admit(found, secretHash)
  }

  list(principalId: string): Promise<readonly ApiKeyInfo[]> {
    return this.#options.store.list(principalId)
  }

  async revoke(principalId: string, id: string): Promise<boolean> {
    const wasThere = await this.#options.store.revoke(principalId, id)
    this.#finder.forget(id)
    if (wasThere) this.#tell({ type: 'api_key.revoked', principalId, detail: { keyId: id } })
    return wasThere
  }

  async revokeAll(principalId: string): Promise<number> {
    // A list may end after the first of many; the next one shows those that follow.
    for (let revoked = 0; ;) {
      const more = await this.#revokeListed(principalId)
      if (more === 0) return revoked
      revoked += more
    }
  }

  async #revokeListed(principalId: string): Promise<number> {
    let revoked = 0
    for (const { id } of await this.list(principalId)) if (await this.revoke(principalId, id)) revoked += 1
    return revoked
  }

  #admit(key: KnownKey | undefined, secretHash: Uint8Array): Principal {
    const isHolder = equals(secretHash, key?.secretHash ?? noHash)
    if (key === undefined || !isHolder) throw invalidError()
    if (this.#clock.now() >= key.expiresAt) throw expiredError()
    return key.principal
  }

  #tell(event: SecurityEvent): void {
    const { onEvent, logger = silentLogger } = this.#options
    tellOfEvent(onEvent, event, logger)
  }
}

function readPrefix(prefix = 'hfk'): string {
  if (/^[a-z][a-z0-9]{1,15}$/.test(prefix)) return prefix
  throw new TypeError(`prefix is ${shown(prefix)}; it must be 2 to 16 lower-case letters and digits, a letter first`)
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
  if (expiresInSeconds !== undefined) wholeNumber('expiresInSeconds', expiresInSeconds, 1, tenYears)
}

const isText = (value: unknown, maxLength: number): boolean =>
  typeof value === 'string' && value.length >= 1 && value.length <= maxLength

const invalidError = (): UnauthorizedError =>
  withoutStack(() => new UnauthorizedError('The API key is not valid.', { code: 'auth.key_invalid' }))

const expiredError = (): UnauthorizedError =>
  withoutStack(() => new UnauthorizedError('The API key has expired; issue a new one.', { code: 'auth.key_expired' }))
