import { randomUUID } from 'node:crypto'
import { CompactSign } from 'jose'
import type { AccessClaims, AccessGrant, AccessTokens } from '../../core/auth/access-token.ts'
import { type Clock, systemClock } from '../../foundation/clock.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'
import type { JsonObject } from './compact-token.ts'
import type { KeySet, SigningKey } from './key-set.ts'
import { assertName, assertSeconds } from './options.ts'
import type { OnRefused, RefusalReason } from './refusal.ts'
import { isNumericDate, readTimes, toMs } from './token-times.ts'
import { createVerifier, type ReadToken } from './verifier.ts'

export interface AccessTokensOptions {
  /** Who issues: an URL of this service by custom, compared as text. 1 to 512 characters. */
  readonly issuer: string
  /** Whom the tokens are for; a token for another audience is refused. 1 to 512 characters. */
  readonly audience: string
  readonly keys: KeySet
  /** How long a token lives, 60 to 3600. Default 900. Instances that differ (during a deployment) accept each other's. */
  readonly lifetimeSeconds?: number
  /** How many verified tokens are remembered, 1 to 10 000 000. Default 10 000, some 4 MB when rights are few. */
  readonly maxCached?: number
  /**
   * How long a verified token is remembered, 0 to 3600. Default 60; 0 checks each signature anew. Expiry, and whether
   * the key is still in the set, are asked each time all the same.
   */
  readonly cacheSeconds?: number
  /** How far ahead the clock of another instance may be, 0 to 60. Default 5. Nothing is accepted after its end. */
  readonly clockToleranceSeconds?: number
  readonly clock?: Clock
  /** Told why a token was refused, which the caller is not. For a counter or a log line at level debug. */
  readonly onRefused?: OnRefused
}

/** The media type of RFC 9068 §2.1, which no ID token or refresh token has. */
const tokenType = 'at+jwt'
const maxTokenChars = 4096
/** No instance issues for longer, whatever its settings, so nothing that claims to live longer is one of ours. */
const maxLifetimeSeconds = 3600
const maxListLength = 256

/**
 * The access tokens of this service: JWTs in the shape of RFC 9068, signed with the first key of `keys` and verified
 * with any of them. Strict on purpose: compact form in canonical base64url of at most 4096 characters, a header of
 * `alg`, `kid` and `typ` and nothing else, the algorithm of the key, type `at+jwt`, and `iss`, `aud`, `sub`, `sid`, `iat`
 * and `exp` of the right types.
 *
 * A token verified within `cacheSeconds` is answered without a promise and without a signature check. One that is
 * refused costs no signature check unless it is well formed, in time and names a known key; it is never remembered, so
 * a flood displaces nothing. At most 1000 signatures are checked at once; beyond, the answer is 503 `auth.busy`.
 *
 * @throws {TypeError} or {RangeError} for options out of bounds
 * @see RFC 9068, RFC 8725
 */
export function createAccessTokens(options: AccessTokensOptions): AccessTokens {
  const { issuer, audience, keys, lifetimeSeconds = 900, cacheSeconds = 60, clockToleranceSeconds = 5 } = options
  const clock = options.clock ?? systemClock
  assertName('issuer', issuer)
  assertName('audience', audience)
  wholeNumber('lifetimeSeconds', lifetimeSeconds, 60, maxLifetimeSeconds)
  assertSeconds('cacheSeconds', cacheSeconds, 0, 3600)
  assertSeconds('clockToleranceSeconds', clockToleranceSeconds, 0, 60)
  const maxCached = options.maxCached ?? 10_000
  wholeNumber('maxCached', maxCached, 1, 10_000_000)

  const verifier = createVerifier<AccessClaims>({
    maxTokenChars,
    read: claimsReader(issuer, audience, lifetimeSeconds),
    findKey: (kid) => keys.find(kid),
    clock,
    toleranceMs: clockToleranceSeconds * 1000,
    cacheMs: cacheSeconds * 1000,
    maxCached,
    onRefused: options.onRefused,
  })

  return {
    lifetimeSeconds,
    verify: (token) => verifier.verify(token),
    async issue(grant, { issuedAt: rightsAt } = {}) {
      assertGrant(grant)
      if (rightsAt !== undefined && !isNumericDate(rightsAt / 1000)) {
        throw new RangeError(`issuedAt is ${rightsAt}; it must be milliseconds since 1970`)
      }
      const issuedAt = clock.now()
      const claims = {
        iss: issuer,
        aud: audience,
        sub: grant.principalId,
        sid: grant.sessionId,
        jti: randomUUID(),
        iat: toSeconds(issuedAt),
        exp: toSeconds(issuedAt + lifetimeSeconds * 1000),
        // Of the session store's clock. `iat` and `exp` are of this one, or a store whose clock is off ends every token.
        rights_at: rightsAt === undefined ? undefined : toSeconds(rightsAt),
        roles: grant.roles,
        permissions: grant.permissions,
      }
      return { token: await signClaims(claims, keys.signer), expiresInSeconds: lifetimeSeconds }
    },
  }
}

/** Judges what a token of ours has to say, before its signature is checked. */
function claimsReader(
  issuer: string,
  audience: string,
  lifetimeSeconds: number,
): (header: JsonObject, payload: JsonObject) => ReadToken<AccessClaims> | RefusalReason {
  return (header, payload) => {
    if (header['typ'] !== tokenType) return 'type'
    if (payload['iss'] !== issuer) return 'issuer'
    if (payload['aud'] !== audience) return 'audience'
    const times = readTimes(payload, maxLifetimeSeconds)
    if (typeof times === 'string') return times
    const { sub, sid, roles, permissions, rights_at: rightsAt = payload['iat'] } = payload
    if (!isNumericDate(rightsAt) || !isId(sub) || !isId(sid) || !isListOfNames(roles) || !isListOfNames(permissions))
      return 'claims'
    // An instance with a shorter lifetime ends the tokens of others by its own, as it forgets revocations by its own.
    const expiresAt = Math.min(times.expiresAt, times.issuedAt + lifetimeSeconds * 1000)
    Object.freeze(roles)
    Object.freeze(permissions)
    const issuedAt = toMs(rightsAt)
    const claims = Object.freeze({ principalId: sub, sessionId: sid, roles, permissions, issuedAt, expiresAt })
    return { claims, times: { ...times, expiresAt } }
  }
}

/** @throws {RangeError} for a token that would be longer than what is accepted */
async function signClaims(claims: object, { alg, kid, key }: SigningKey): Promise<string> {
  const token = await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg, kid, typ: tokenType })
    .sign(key)
  if (token.length <= maxTokenChars) return token
  throw new RangeError(
    `The access token would have ${token.length} characters; at most ${maxTokenChars} are accepted. Grant fewer or shorter roles and permissions`,
  )
}

function assertGrant({ principalId, sessionId, roles, permissions }: AccessGrant): void {
  if (!isId(principalId)) throw new TypeError('principalId of a grant must be a text of 1 to 255 characters')
  if (!isId(sessionId)) throw new TypeError('sessionId of a grant must be a text of 1 to 255 characters')
  if (!isListOfNames(roles)) throw new TypeError(listMessage('roles'))
  if (!isListOfNames(permissions)) throw new TypeError(listMessage('permissions'))
}

const listMessage = (name: string): string =>
  `${name} of a grant must be a list of at most ${maxListLength} texts of 1 to 255 characters`

const isId = (value: unknown): value is string => typeof value === 'string' && value.length > 0 && value.length <= 255

const isListOfNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length <= maxListLength && value.every(isId)

/** Whole milliseconds, as seconds with three decimals. */
const toSeconds = (ms: number): number => Math.floor(ms) / 1000
