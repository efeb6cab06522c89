import { bearerToken, isJwtShaped } from '../../core/auth/bearer.ts'
import type { Authenticate, Principal } from '../../core/auth/principal.ts'
import { type Clock, systemClock } from '../../foundation/clock.ts'
import { type Logger, silentLogger } from '../../foundation/logger.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'
import type { JsonObject } from './compact-token.ts'
import { type AsymmetricAlgorithm, isAsymmetricAlgorithm } from './jwk.ts'
import { assertName, assertSeconds } from './options.ts'
import type { OnRefused, RefusalReason } from './refusal.ts'
import { RemoteKeys } from './remote-keys.ts'
import { readTimes } from './token-times.ts'
import { createVerifier, type ReadToken } from './verifier.ts'

/** What a token of another issuer says, verified and frozen. */
export interface RemoteClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  /** Seconds since 1970, as are all times here. */
  readonly iat: number
  readonly exp: number
  /** Everything else is what this issuer makes of it: check its type before use. */
  readonly [claim: string]: unknown
}

export interface RemoteIssuerOptions {
  /** `iss` of its tokens, letter by letter: many end in a slash. 1 to 512 characters. */
  readonly issuer: string
  /** This service, as the issuer calls it; one of the token's audiences. 1 to 512 characters. */
  readonly audience: string
  /** Where it publishes its keys. `https`, or `http` on this machine; redirects are not followed. */
  readonly jwksUrl: string | URL
  /** What it signs with. A key without `alg` of its own gets the one of these that fits its type. */
  readonly algorithms: readonly [AsymmetricAlgorithm, ...AsymmetricAlgorithm[]]
  /**
   * Who that is here. Asked at each call, so it may look the account up. `undefined` for nobody: 401.
   * Take roles and permissions only from claims that the issuer vouches for.
   */
  readonly toPrincipal: (claims: RemoteClaims) => Principal | undefined | Promise<Principal | undefined>
  /**
   * `typ` of its access tokens, without regard to case and `application/`. Default `at+jwt` (RFC 9068). Many write
   * `JWT`, and some none: `false`. With those two an ID token differs by its audience alone, so `audience` must be one
   * that no ID token has.
   */
  readonly typ?: string | false
  /** Tokens that claim to live longer are refused. Default 86 400, a day; 60 to 604 800, a week. */
  readonly maxLifetimeSeconds?: number
  /** Longer tokens are refused unread. Default 8192; 256 to 16 384. */
  readonly maxTokenChars?: number
  /** For a whole fetch of keys. Default 3000 ms; 100 to 30 000. */
  readonly timeoutMs?: number
  /** The most bytes that the published keys may have. Default 131 072; 1024 to 1 048 576. */
  readonly maxJwksBytes?: number
  /** Keys this old are fetched anew when next used: how long a withdrawn key may go on. Default 600; 10 to 86 400. */
  readonly keysFreshSeconds?: number
  /** Keys this old are used no more, even when no new ones can be had. Default 86 400; `keysFreshSeconds` to 604 800. */
  readonly keepKeysSeconds?: number
  /** Between two fetches on account of unknown key ids. Default 10; 1 to 3600. */
  readonly cooldownSeconds?: number
  /** How many verified tokens are remembered. Default 10 000; 1 to 10 000 000. */
  readonly maxCached?: number
  /** How long a verified token is remembered. Default 60; 0 to 3600, where 0 checks each signature anew. */
  readonly cacheSeconds?: number
  /** How far ahead the issuer's clock may be. Default 5; 0 to 60. */
  readonly clockToleranceSeconds?: number
  readonly clock?: Clock
  /** Told when keys could not be fetched. */
  readonly logger?: Logger
  /** Told why a token was refused, which the caller is not. For a counter or a log line at level debug. */
  readonly onRefused?: OnRefused
}

export interface RemoteIssuer {
  /**
   * For `createHttp` or {@link firstOf}. Says `undefined` for tokens that name another issuer and for keys that are no
   * JWT.
   *
   * @throws {UnauthorizedError} `auth.token_invalid`, `auth.token_expired` or `auth.malformed`
   * @throws {ServiceUnavailableError} `auth.keys_unavailable` when the issuer's keys were never to be had or are too old
   */
  readonly authenticate: Authenticate
  /** As `authenticate`, for a token that came another way. Without a promise for one that was verified lately. */
  readonly verify: (token: string) => RemoteClaims | Promise<RemoteClaims>
}

/** Thumbprints of certificates: identifiers that some issuers add and nobody here reads. */
const ignoredHeader: ReadonlySet<string> = new Set(['x5t', 'x5t#S256'])

/**
 * Accepts tokens of another issuer (an identity provider, another service), by the keys it publishes. As strict as
 * `createAccessTokens`: compact form, a header of `alg`, `kid` and `typ`, one algorithm per key, and `iss`, `aud`, `sub`,
 * `iat` and `exp` required.
 *
 * Keys are fetched on first use. While the issuer does not answer, known keys go on for `keepKeysSeconds`, tokens with
 * an unknown key id are refused with 401, and without any keys the answer is 503. A flood of unknown key ids costs one
 * fetch per `cooldownSeconds`; a new key that was not published ahead of its use may be refused for as long.
 *
 * @throws {TypeError} or {RangeError} for options out of bounds: an URL that is not safe, an algorithm with a shared secret
 * @see RFC 8725, RFC 9068 §4, RFC 7517 §5
 */
export function createRemoteIssuer(options: RemoteIssuerOptions): RemoteIssuer {
  const settings = readOptions(options)
  const { issuer, audience, toPrincipal } = options
  const keys = new RemoteKeys(settings.keys)
  const read = (header: JsonObject, payload: JsonObject): ReadToken<RemoteClaims> | RefusalReason => {
    if (payload['iss'] !== issuer) return 'issuer'
    if (!isType(header['typ'], settings.typ)) return 'type'
    if (!isAudience(payload['aud'], audience)) return 'audience'
    const { sub } = payload
    if (typeof sub !== 'string' || sub === '' || sub.length > 255) return 'claims'
    const times = readTimes(payload, settings.maxLifetimeSeconds)
    return typeof times === 'string' ? times : { claims: freezeAll(payload) as RemoteClaims, times }
  }
  const verifier = createVerifier<RemoteClaims>({
    ...settings.verifier,
    read,
    ignoredHeader,
    findKey: (kid) => keys.find(kid),
    onRefused: options.onRefused,
  })
  const toKnown = (principal: Principal | undefined): Principal => {
    if (principal === undefined) throw verifier.refuse('no_principal')
    return principal
  }
  const identify = (answer: RemoteClaims | RefusalReason): Principal | undefined | Promise<Principal> => {
    if (answer === 'issuer') return undefined
    if (typeof answer === 'string') throw verifier.refuse(answer)
    const principal = toPrincipal(answer)
    return principal instanceof Promise ? principal.then(toKnown) : toKnown(principal)
  }

  return {
    authenticate(credentials) {
      const token = bearerToken(credentials)
      if (token === undefined || !isJwtShaped(token)) return undefined
      const answer = verifier.check(token)
      return answer instanceof Promise ? answer.then(identify) : identify(answer)
    },
    verify: (token) => verifier.verify(token),
  }
}

function readOptions(options: RemoteIssuerOptions) {
  const {
    typ = 'at+jwt',
    maxLifetimeSeconds = 86_400,
    maxTokenChars = 8192,
    timeoutMs = 3000,
    maxJwksBytes = 131_072,
    keysFreshSeconds = 600,
    keepKeysSeconds = 86_400,
    cooldownSeconds = 10,
    maxCached = 10_000,
    cacheSeconds = 60,
    clockToleranceSeconds = 5,
    clock = systemClock,
    logger = silentLogger,
  } = options
  assertName('issuer', options.issuer)
  assertName('audience', options.audience)
  if (typ !== false) assertName('typ', typ)
  if (typeof options.toPrincipal !== 'function') throw new TypeError('toPrincipal is missing; it says who a token is')
  assertSeconds('maxLifetimeSeconds', maxLifetimeSeconds, 60, 604_800)
  wholeNumber('maxTokenChars', maxTokenChars, 256, 16_384)
  wholeNumber('timeoutMs', timeoutMs, 100, 30_000)
  wholeNumber('maxJwksBytes', maxJwksBytes, 1024, 1_048_576)
  assertSeconds('keysFreshSeconds', keysFreshSeconds, 10, 86_400)
  assertSeconds('keepKeysSeconds', keepKeysSeconds, keysFreshSeconds, 604_800)
  assertSeconds('cooldownSeconds', cooldownSeconds, 1, 3600)
  wholeNumber('maxCached', maxCached, 1, 10_000_000)
  assertSeconds('cacheSeconds', cacheSeconds, 0, 3600)
  assertSeconds('clockToleranceSeconds', clockToleranceSeconds, 0, 60)
  return {
    typ: typ === false ? undefined : toMediaType(typ),
    maxLifetimeSeconds,
    keys: {
      url: readUrl(options.jwksUrl),
      algorithms: readAlgorithms(options.algorithms),
      timeoutMs,
      maxBytes: maxJwksBytes,
      freshMs: keysFreshSeconds * 1000,
      keepMs: keepKeysSeconds * 1000,
      cooldownMs: cooldownSeconds * 1000,
      clock,
      logger,
    },
    verifier: {
      maxTokenChars,
      clock,
      toleranceMs: clockToleranceSeconds * 1000,
      cacheMs: cacheSeconds * 1000,
      maxCached,
    },
  }
}

function readUrl(jwksUrl: string | URL): URL {
  const url = URL.parse(String(jwksUrl))
  if (url === null) throw new TypeError('jwksUrl is no URL; write it whole, with https://')
  if (url.username !== '' || url.password !== '')
    throw new TypeError('jwksUrl holds a user name or password; keys are public')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw new TypeError(
      `jwksUrl begins with ${url.protocol}//; it must be https, or http on this machine: who can change the keys on their way makes tokens`,
    )
  }
  return url
}

/** URL gives IPv4 addresses in their one canonical form, however they were written. */
const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)

function readAlgorithms(algorithms: readonly AsymmetricAlgorithm[]): readonly AsymmetricAlgorithm[] {
  if (!Array.isArray(algorithms) || algorithms.length === 0)
    throw new TypeError('algorithms is empty; name what the issuer signs with')
  for (const alg of algorithms as readonly unknown[]) {
    if (!isAsymmetricAlgorithm(alg)) {
      throw new TypeError(
        `algorithms has ${JSON.stringify(alg)}; only algorithms with a public key are taken, such as "RS256", "ES256", "Ed25519"`,
      )
    }
  }
  return [...new Set(algorithms)]
}

/** RFC 7515 §4.1.9: `application/` may be left out. */
const toMediaType = (typ: string): string => {
  const lower = typ.toLowerCase()
  return lower.includes('/') ? lower : `application/${lower}`
}

const isType = (typ: unknown, expected: string | undefined): boolean =>
  expected === undefined ? typ === undefined : typeof typ === 'string' && toMediaType(typ) === expected

function isAudience(aud: unknown, expected: string): boolean {
  if (!Array.isArray(aud)) return aud === expected
  return aud.length <= 64 && aud.every((one) => typeof one === 'string') && aud.includes(expected)
}

function freezeAll<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) freezeAll(member)
  return Object.freeze(value)
}
