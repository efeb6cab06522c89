import { hash } from 'node:crypto'
import { compactVerify, errors } from 'jose'
import type { Clock } from '../../foundation/clock.ts'
import { ServiceUnavailableError, withoutStack } from '../../foundation/errors.ts'
import { LruMap } from '../../foundation/lru-map.ts'
import { type JsonObject, readCompactToken } from './compact-token.ts'
import type { VerificationKey } from './jwk.ts'
import { type OnRefused, type RefusalReason, refusalError, tellOfRefusal } from './refusal.ts'
import { type TokenTimes, untimely } from './token-times.ts'

export interface VerifierOptions<Claims extends object> {
  readonly maxTokenChars: number
  /** Judges the header, apart from `alg` and `kid`, and reads what the payload claims. Costs no signature. */
  readonly read: (header: JsonObject, payload: JsonObject) => ReadToken<Claims> | RefusalReason
  /** Header members besides `alg`, `kid` and `typ` that may stand there and are not looked at. */
  readonly ignoredHeader?: ReadonlySet<string>
  readonly findKey: (kid: string) => VerificationKey | undefined | Promise<VerificationKey | undefined>
  readonly clock: Clock
  readonly toleranceMs: number
  /** How long a verified token is remembered; 0 for not at all. */
  readonly cacheMs: number
  readonly maxCached: number
  readonly onRefused: OnRefused | undefined
}

export interface ReadToken<Claims> {
  readonly claims: Claims
  readonly times: TokenTimes
}

export interface Verifier<Claims extends object> {
  /** Says why a token is refused, by the reason's name, without telling anybody. */
  check(token: string): Claims | RefusalReason | Promise<Claims | RefusalReason>
  /** @throws {UnauthorizedError} for a token that is refused, and tells `onRefused` why */
  verify(token: string): Claims | Promise<Claims>
  /** Makes the refusal and tells `onRefused` why. */
  refuse(reason: RefusalReason): Error
}

interface Verified<Claims> extends ReadToken<Claims> {
  readonly key: VerificationKey
  /** On {@link Clock.elapsed}, so that a stepped wall clock does not prolong it. */
  readonly freshUntil: number
}

/** A token that only its signature can still refuse. */
interface Judged<Claims> {
  readonly token: string
  readonly digest: string
  readonly alg: string
  readonly kid: string
  readonly read: ReadToken<Claims>
}

/**
 * Signature checks under way at once. Node queues them without bound behind four threads; past some 100 ms of queue the
 * caller is better served by an honest 503.
 */
const maxPending = 1000

/**
 * Judges compact tokens, the cheap questions first: known and still good → form → claims and times → key → signature.
 * Remembers what it verified, by hash and never what it refused, so a flood of bad tokens displaces no good one.
 */
export function createVerifier<Claims extends object>(options: VerifierOptions<Claims>): Verifier<Claims> {
  const { clock, toleranceMs } = options
  const verified = options.cacheMs > 0 ? new LruMap<string, Verified<Claims>>(options.maxCached) : undefined
  const pending = new Map<string, Promise<Claims | RefusalReason>>()

  const check = (token: string): Claims | RefusalReason | Promise<Claims | RefusalReason> => {
    if (typeof token !== 'string') return 'malformed'
    if (token.length > options.maxTokenChars) return 'too_long'
    const digest = hash('sha256', token, 'base64')
    return recall(digest) ?? pending.get(digest) ?? judge(token, digest)
  }

  const recall = (digest: string): Claims | RefusalReason | undefined => {
    const known = verified?.get(digest)
    if (known === undefined) return undefined
    if (clock.elapsed() >= known.freshUntil || known.key.isRetired) {
      verified!.delete(digest)
      return undefined
    }
    return untimely(known.times, clock.now(), toleranceMs) ?? known.claims
  }

  const judge = (token: string, digest: string): RefusalReason | Promise<Claims | RefusalReason> => {
    const parts = readCompactToken(token)
    if (parts === undefined) return 'malformed'
    const read = options.read(parts.header, parts.payload)
    if (typeof read === 'string') return read
    const reason = headerFlaw(parts.header, options.ignoredHeader) ?? untimely(read.times, clock.now(), toleranceMs)
    if (reason !== undefined) return reason
    const { alg, kid } = parts.header as { alg: string; kid: string }
    const key = options.findKey(kid)
    if (key === undefined) return 'unknown_key'
    if (!(key instanceof Promise) && key.alg !== alg) return 'algorithm'
    if (pending.size >= maxPending) {
      if (key instanceof Promise) key.catch(() => {})
      throw busyError()
    }
    const answer = settle({ token, digest, alg, kid, read }, key).finally(() => pending.delete(digest))
    pending.set(digest, answer)
    return answer
  }

  const settle = async (
    judged: Judged<Claims>,
    found: VerificationKey | Promise<VerificationKey | undefined> | undefined,
  ): Promise<Claims | RefusalReason> => {
    const { token, digest, alg, kid, read } = judged
    const key = await found
    if (key === undefined) return 'unknown_key'
    if (key.alg !== alg) return 'algorithm'
    const reason = (await signatureFlaw(token, key)) ?? untimely(read.times, clock.now(), toleranceMs)
    if (reason !== undefined) return reason
    // The key set may have been replaced meanwhile.
    if (key.isRetired) return settle(judged, options.findKey(kid))
    verified?.set(digest, { ...read, key, freshUntil: clock.elapsed() + options.cacheMs })
    return read.claims
  }

  const refuse = (reason: RefusalReason): Error => {
    tellOfRefusal(options.onRefused, reason)
    return refusalError(reason)
  }
  const orRefuse = (answer: Claims | RefusalReason): Claims => {
    if (typeof answer === 'string') throw refuse(answer)
    return answer
  }
  const verify = (token: string): Claims | Promise<Claims> => {
    const answer = check(token)
    return answer instanceof Promise ? answer.then(orRefuse) : orRefuse(answer)
  }
  return { check, verify, refuse }
}

const known: ReadonlySet<string> = new Set(['alg', 'kid', 'typ'])

/** Whatever is not on the list is refused, understood or not: `crit`, `jwk`, `jku`, `x5u`, `x5c`, `zip`, `b64`, `cty` … */
function headerFlaw(header: JsonObject, ignored: ReadonlySet<string> | undefined): RefusalReason | undefined {
  for (const name of Object.keys(header)) if (!known.has(name) && !ignored?.has(name)) return 'header'
  if (typeof header['alg'] !== 'string') return 'algorithm'
  return typeof header['kid'] === 'string' ? undefined : 'unknown_key'
}

async function signatureFlaw(token: string, key: VerificationKey): Promise<RefusalReason | undefined> {
  try {
    await compactVerify(token, key.key, { algorithms: [key.alg] })
    return undefined
  } catch (error) {
    if (isRefusedByJose(error)) return 'signature'
    throw error
  }
}

/** jose gives a failure of WebCrypto the name of a wrong signature, and tells them apart by the cause. */
const isRefusedByJose = (error: unknown): boolean =>
  error instanceof errors.JWSInvalid ||
  (error instanceof errors.JWSSignatureVerificationFailed && error.cause === undefined)

const busyError = (): ServiceUnavailableError =>
  withoutStack(
    () =>
      new ServiceUnavailableError('auth.busy', 'Too many tokens are being checked; try again shortly.', {
        retryAfterSeconds: 1,
      }),
  )
