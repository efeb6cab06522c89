import { ForbiddenError, UnauthorizedError } from '../../foundation/errors.ts'
import type { Principal } from './principal.ts'

/** Who may call a route. `'public'` has to be written: nothing is open by omission. */
export type Access = 'public' | AccessRule

export interface AccessRule {
  /** The rule in words, for {@link explain} and for reviewers: `roles(admin)`. */
  readonly rule: string
  readonly allows: (principal: Principal) => boolean
}

/** Anyone who proved who they are. */
export const signedIn: AccessRule = { rule: 'signedIn', allows: () => true }

/** Those who hold at least one of these roles. */
export function roles(...accepted: readonly [string, ...string[]]): AccessRule {
  return {
    rule: `roles(${accepted.join(', ')})`,
    allows: (principal) => accepted.some((role) => principal.roles.includes(role)),
  }
}

/** Those who hold every one of these permissions. */
export function permission(...required: readonly [string, ...string[]]): AccessRule {
  return {
    rule: `permission(${required.join(', ')})`,
    allows: (principal) => required.every((one) => principal.permissions.includes(one)),
  }
}

export function isAccess(value: unknown): value is Access {
  return (
    value === 'public' ||
    (isRecord(value) && typeof value['allows'] === 'function' && typeof value['rule'] === 'string')
  )
}

/**
 * @throws {UnauthorizedError} when a rule needs a principal and there is none
 * @throws {ForbiddenError} when the principal does not fit the rule
 */
export function assertAccess(access: Access, principal: Principal | undefined): void {
  if (access === 'public') return
  if (principal === undefined) throw new UnauthorizedError()
  // Only a literal `true` opens the door: a rule that returns a promise by mistake would otherwise admit everyone.
  if (access.allows(principal) !== true) throw new ForbiddenError()
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
