import type { Clock } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { ApiKeyRecord, ApiKeyStore } from './api-key-store.ts'
import type { Authenticate } from './principal.ts'
import type { OnSecurityEvent } from './security-event.ts'

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
  /** How many keys are remembered, and as many unknown ids, 1 to 10 000 000. Default 10 000. */
  readonly maxCached?: number
  readonly clock?: Clock
  /** Told of `api_key.issued` and `api_key.revoked`. */
  readonly onEvent?: OnSecurityEvent
  /** Told when `onEvent` fails. Default: nobody. */
  readonly logger?: Logger
}

export interface IssueApiKey {
  /** Whom the key speaks for; the id of the principal it makes. 1 to 255 characters. */
  readonly principalId: string
  /** What its owner knows it by, 1 to 200 characters. */
  readonly name: string
  /** Its scope; the principal has these permissions and no roles. At most 256. */
  readonly permissions: readonly string[]
  /** 1 to 316 224 000, ten years. Default: it does not expire. */
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
  /** Those of this principal that were not revoked, expired ones too; of more than a thousand the oldest. */
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
