import { ForbiddenError, UnauthorizedError, withoutStack } from '../../foundation/errors.ts'
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

/** Those whom at least one of these rules allows. */
export function anyOf(...rules: readonly [AccessRule, ...AccessRule[]]): AccessRule {
  return {
    rule: `anyOf(${rules.map(({ rule }) => rule).join(', ')})`,
    allows: (principal) => rules.some((one) => isAllowed(principal, one)),
  }
}

/** Those whom every one of these rules allows. */
export function allOf(...rules: readonly [AccessRule, ...AccessRule[]]): AccessRule {
  return {
    rule: `allOf(${rules.map(({ rule }) => rule).join(', ')})`,
    allows: (principal) => rules.every((one) => isAllowed(principal, one)),
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
  if (access !== 'public') assertCan(principal, access)
}

/**
 * Checks a rule inside a service, where the route's own check is out of sight: after it, there is a principal and it
 * may do this.
 *
 * @throws {UnauthorizedError} when there is no principal
 * @throws {ForbiddenError} when the principal does not fit the rule
 */
export function assertCan(principal: Principal | undefined, rule: AccessRule): asserts principal is Principal {
  if (principal === undefined) throw withoutStack(() => new UnauthorizedError())
  if (!isAllowed(principal, rule)) throw withoutStack(() => new ForbiddenError())
}

export interface AssertOwnerOptions {
  /** Who may besides the owner, such as `roles('support')`. Default nobody. */
  readonly or?: AccessRule
}

/**
 * Checks that a thing belongs to the principal. Somebody else's thing looks like none, so that ids cannot be probed:
 *
 *     const order = await this.orders.findById(id)
 *     assertOwner(principal, order?.customerId, () => new NotFoundError('orders.not_found', `No order ${id}`))
 *
 * @param ownerId - the id of the principal it belongs to; `null` for a thing that belongs to nobody, `undefined` for one
 *   that is not there, which `options.or` does not call into being either
 * @param notFound - the error that the service throws when there is no such thing
 * @throws {UnauthorizedError} when there is no principal
 * @throws what `notFound` makes, when the thing is not the principal's and `options.or` does not allow it either
 */
export function assertOwner(
  principal: Principal | undefined,
  ownerId: string | null | undefined,
  notFound: () => Error,
  options: AssertOwnerOptions = {},
): asserts principal is Principal {
  if (principal === undefined) throw withoutStack(() => new UnauthorizedError())
  // An empty id is nobody's, or two nobodies would own each other's things.
  if (typeof ownerId === 'string' && ownerId !== '' && principal.id === ownerId) return
  if (ownerId === undefined || options.or === undefined || !isAllowed(principal, options.or)) throw notFound()
}

/**
 * Gives a thing to whom it belongs. Somebody else's looks like none, as with {@link assertOwner}:
 *
 *     const notFound = () => new NotFoundError('orders.not_found', `No order ${id}`)
 *     return ownedBy(principal, await this.orders.findById(id), (order) => order.customerId, notFound)
 *
 * @param thing - what was found, `undefined` or `null` when there is no such thing
 * @param ownerOf - the id of the principal that it belongs to; `null` or `undefined` for nobody
 * @param notFound - the error that the service throws when there is no such thing
 * @throws {UnauthorizedError} when there is no principal, whether there is such a thing or not
 * @throws what `notFound` makes, when it is not there, or not the principal's and `options.or` does not allow it either
 */
export function ownedBy<Thing>(
  principal: Principal | undefined,
  thing: Thing | null | undefined,
  ownerOf: (thing: Thing) => string | null | undefined,
  notFound: () => Error,
  options: AssertOwnerOptions = {},
): Thing {
  const isThere = thing !== undefined && thing !== null
  assertOwner(principal, isThere ? (ownerOf(thing) ?? null) : undefined, notFound, options)
  return thing as Thing
}

// Only a literal `true` opens the door: a rule that returns a promise by mistake would otherwise admit everyone.
const isAllowed = (principal: Principal, rule: AccessRule): boolean => rule.allows(principal) === true

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
