import { callsLeft, msToNextCall } from './gcra.ts'
import type { LimitDecision } from './limiter.ts'
import type { PreparedPolicy } from './policies.ts'

/** Whole seconds that are surely over after `ms`; a millionth of one is a rounding error. */
const wholeSeconds = (ms: number): number => Math.max(0, Math.ceil(ms / 1000 - 1e-6))

/**
 * Members of the `RateLimit` field: calls that are left, and seconds until all are there again.
 *
 * @param fullAt - for each policy, when all calls are there again if the `unused` ones are used
 * @see draft-ietf-httpapi-ratelimit-headers-10, section 4
 */
export function allowance(
  policies: readonly PreparedPolicy[],
  fullAt: readonly number[],
  now: number,
  unused: number,
): LimitDecision {
  let state = ''
  for (let i = 0; i < policies.length; i += 1) {
    const policy = policies[i]!
    const resetMs = Math.max(0, fullAt[i]! - now - unused * policy.intervalMs)
    const separator = i === 0 ? '"' : ', "'
    state += `${separator}${policy.policy}";r=${callsLeft(policy, resetMs)};t=${wholeSeconds(resetMs)}`
  }
  return { isAllowed: true, retryAfterSeconds: 0, state }
}

export interface Denial {
  readonly decision: LimitDecision
  /** Milliseconds until the store would give a call. */
  readonly waitMs: number
  /** Milliseconds for which its whole seconds are right. */
  readonly rightForMs: number
}

/** A policy that is used up tells the seconds to its next call instead; `Retry-After` is the longest of these. */
export function denialOf(policies: readonly PreparedPolicy[], fullAt: readonly number[], now: number): Denial {
  let waitMs = 0
  let rightForMs = Infinity
  let retryAfterSeconds = 1
  const states = policies.map((policy, i) => {
    const resetMs = Math.max(0, fullAt[i]! - now)
    const left = callsLeft(policy, resetMs)
    const ms = left === 0 ? msToNextCall(policy, resetMs) : resetMs
    const seconds = Math.max(left === 0 ? 1 : 0, wholeSeconds(ms))
    if (left === 0) retryAfterSeconds = Math.max(retryAfterSeconds, seconds)
    if (left === 0) waitMs = Math.max(waitMs, ms)
    if (seconds > 0) rightForMs = Math.min(rightForMs, ms - (seconds - 1) * 1000)
    return `"${policy.policy}";r=${left};t=${seconds}`
  })
  return { decision: { isAllowed: false, retryAfterSeconds, state: states.join(', ') }, waitMs, rightForMs }
}
