import type { LimitCounter } from './limit-store.ts'
import type { LimitPolicy, LimitSubject } from './limiter.ts'
import { shown, wholeNumber } from '../../foundation/whole-number.ts'

/** A {@link LimitPolicy} with every default in place and every bound checked. */
export interface PreparedPolicy extends LimitCounter {
  readonly by: LimitSubject
  readonly countsFailures: boolean
  readonly isExact: boolean
  /** Member of the `RateLimit-Policy` field. */
  readonly field: string
}

const members = new Set(['by', 'quota', 'windowSeconds', 'burst', 'counts', 'exact'])
const longestResetSeconds = 31 * 86_400

/** @throws {TypeError | RangeError} naming the policy, the member, what was received and what is allowed */
export function preparePolicy(name: string, policy: LimitPolicy): PreparedPolicy {
  const at = (member: string): string => `policies.${name}.${member}`
  assertName(name)
  assertMembers(name, policy)
  const by = toSubject(at('by'), policy.by)
  const quota = wholeNumber(at('quota'), policy.quota, 1, 1_000_000)
  const windowSeconds = wholeNumber(at('windowSeconds'), policy.windowSeconds, 1, 86_400)
  const burst = wholeNumber(at('burst'), policy.burst ?? quota, 1, 1_000_000)
  const countsFailures = oneOf(at('counts'), policy.counts ?? 'calls', ['calls', 'failures']) === 'failures'
  const isExact = oneOf(at('exact'), policy.exact ?? (countsFailures || quota < windowSeconds), [true, false])
  if (countsFailures && !isExact) throw new TypeError(`${at('exact')} is false; a policy that counts failures is exact`)
  if ((burst / quota) * windowSeconds > longestResetSeconds) {
    throw new RangeError(`${at('burst')} is ${burst}; it must be earned back within 31 days`)
  }
  const field = `"${name}";q=${quota};w=${windowSeconds}`
  return { policy: name, intervalMs: (windowSeconds * 1000) / quota, burst, by, countsFailures, isExact, field }
}

function assertName(name: string): void {
  if (/^[a-z][a-z0-9-]{0,31}$/.test(name)) return
  throw new TypeError(`policies has the name ${shown(name)}; a name is [a-z][a-z0-9-]*, at most 32 characters`)
}

function assertMembers(name: string, policy: unknown): void {
  if (typeof policy !== 'object' || policy === null) {
    throw new TypeError(
      `policies.${name} is ${shown(policy)}; it must be an object such as { by, quota, windowSeconds }`,
    )
  }
  const unknown = Object.keys(policy).find((member) => !members.has(member))
  if (unknown === undefined) return
  throw new TypeError(`policies.${name} has ${shown(unknown)}; its members are ${[...members].join(', ')}`)
}

function toSubject(at: string, by: unknown): LimitSubject {
  if (by === 'address' || by === 'principal') return by
  const body: unknown = typeof by === 'object' && by !== null ? Reflect.get(by, 'body') : undefined
  if (typeof body === 'string' && body.length >= 1 && body.length <= 100) return { body }
  throw new TypeError(`${at} is ${shown(by)}; it must be 'address', 'principal' or { body: 'name of a member' }`)
}

function oneOf<const T>(at: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value)
  if (found !== undefined) return found
  throw new TypeError(`${at} is ${shown(value)}; it must be ${allowed.map((each) => shown(each)).join(' or ')}`)
}
