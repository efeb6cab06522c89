import type { JsonObject } from './compact-token.ts'
import type { RefusalReason } from './refusal.ts'

/** Milliseconds since 1970. */
export interface TokenTimes {
  readonly issuedAt: number
  /** The later of `iat` and `nbf`. */
  readonly validFrom: number
  readonly expiresAt: number
}

/** Reads `iat`, `exp` and `nbf`: seconds, with fractions (RFC 7519 §2, NumericDate). */
export function readTimes(payload: JsonObject, maxLifetimeSeconds: number): TokenTimes | RefusalReason {
  const { iat, exp, nbf } = payload
  if (!isNumericDate(iat) || !isNumericDate(exp) || !(nbf === undefined || isNumericDate(nbf))) return 'claims'
  if (exp <= iat) return 'claims'
  // A millisecond of grace: fractions of a second are rounded in binary.
  if (exp - iat > maxLifetimeSeconds + 0.001) return 'lifetime'
  return { issuedAt: toMs(iat), validFrom: toMs(Math.max(iat, nbf ?? iat)), expiresAt: toMs(exp) }
}

/**
 * Whether now is outside these times. The tolerance is for issuers whose clock is ahead, so it serves the beginning
 * only: an end is an end, and a client that is early for it gets a new token.
 */
export function untimely(times: TokenTimes, now: number, toleranceMs: number): RefusalReason | undefined {
  if (now >= times.expiresAt) return 'expired'
  return times.validFrom > now + toleranceMs ? 'not_yet_valid' : undefined
}

// The last second of the year 9999 and no moment before 1970, so that no arithmetic leaves what numbers hold exactly.
export const isNumericDate = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= 253_402_300_799

export const toMs = (seconds: number): number => Math.round(seconds * 1000)
