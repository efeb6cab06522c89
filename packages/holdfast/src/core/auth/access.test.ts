import { describe, expect, expectTypeOf, test } from 'vitest'
import { ForbiddenError, NotFoundError, UnauthorizedError } from '../../foundation/errors.ts'
import {
  type AccessRule,
  allOf,
  anyOf,
  assertAccess,
  assertCan,
  assertOwner,
  ownedBy,
  permission,
  roles,
  signedIn,
} from './access.ts'
import type { Principal } from './principal.ts'

const ada: Principal = { id: 'ada', roles: ['clerk'], permissions: ['orders:read', 'orders:write'] }
const admin: Principal = { id: 'root', roles: ['admin'], permissions: [] }
const nobody: Principal = { id: '', roles: [], permissions: [] }
/** Rules written by hand that give something which is merely truthy. */
const promising = { rule: 'promising', allows: async () => false } as unknown as AccessRule
const truthy = { rule: 'truthy', allows: () => 'yes' } as unknown as AccessRule

describe('given rules', () => {
  test.each<[AccessRule, boolean]>([
    [signedIn, true],
    [roles('admin', 'clerk'), true],
    [roles('admin'), false],
    [permission('orders:read', 'orders:write'), true],
    [permission('orders:read', 'orders:delete'), false],
    [anyOf(roles('admin'), permission('orders:read')), true],
    [anyOf(roles('admin'), permission('orders:delete')), false],
    [allOf(roles('clerk'), permission('orders:read')), true],
    [allOf(roles('clerk'), permission('orders:delete')), false],
    [promising, false],
    [truthy, false],
    [anyOf(promising, truthy), false],
    [allOf(signedIn, promising), false],
  ])('when asked %o, only a literal yes admits', (rule, admits) => {
    const assert = () => assertCan(ada, rule)
    if (admits) expect(assert).not.toThrow()
    else expect(assert).toThrow(ForbiddenError)
    if (admits) expect(() => assertAccess(rule, ada)).not.toThrow()
    else expect(() => assertAccess(rule, ada)).toThrow(ForbiddenError)
  })

  test('when combined, they read as they are meant', () => {
    expect(anyOf(roles('admin'), allOf(signedIn, permission('orders:read'))).rule).toBe(
      'anyOf(roles(admin), allOf(signedIn, permission(orders:read)))',
    )
  })

  test('when nobody is signed in, every rule refuses with 401 and only what is public opens', () => {
    for (const rule of [signedIn, roles('admin'), anyOf(signedIn), allOf(signedIn)]) {
      expect(() => assertCan(undefined, rule)).toThrow(UnauthorizedError)
      expect(() => assertAccess(rule, undefined)).toThrow(UnauthorizedError)
    }
    expect(() => assertAccess('public', undefined)).not.toThrow()
  })
})

describe("given somebody's object", () => {
  const notFound = () => new NotFoundError('orders.not_found', 'No order 7')
  const assert =
    (principal: Principal | undefined, ownerId: string | null | undefined, or?: AccessRule): (() => void) =>
    () =>
      assertOwner(principal, ownerId, notFound, or === undefined ? {} : { or })

  test('when its owner asks, it is there', () => {
    expect(assert(ada, 'ada')).not.toThrow()
  })

  test('when somebody else asks, it looks like none', () => {
    for (const other of ['bob', 'ADA', 'ada ', '', null, undefined]) expect(assert(ada, other)).toThrow(NotFoundError)
  })

  test('when a principal without an id asks, nothing that belongs to nobody is its own', () => {
    for (const owner of ['', null, undefined]) expect(assert(nobody, owner)).toThrow(NotFoundError)
  })

  test('when a rule allows others, it does, but conjures up nothing that is not there', () => {
    expect(assert(admin, 'ada', roles('admin'))).not.toThrow()
    expect(assert(admin, null, roles('admin'))).not.toThrow()
    expect(assert(admin, undefined, roles('admin'))).toThrow(NotFoundError)
    expect(assert(ada, 'bob', roles('admin'))).toThrow(NotFoundError)
    expect(assert(ada, 'bob', promising)).toThrow(NotFoundError)
  })

  test('when nobody is signed in, the answer is 401', () => {
    expect(assert(undefined, 'ada')).toThrow(UnauthorizedError)
    expect(assert(undefined, undefined)).toThrow(UnauthorizedError)
  })

  test('when it is asked for by one who may have it, it is given', () => {
    const order = { id: 7, ownerId: 'ada' }
    const ownerOf = (one: { readonly ownerId?: string | null }): string | null | undefined => one.ownerId
    const staff = { or: roles('admin') }
    expect(ownedBy(ada, order, ownerOf, notFound)).toBe(order)
    expect(ownedBy(admin, order, ownerOf, notFound, staff)).toBe(order)
    expectTypeOf(ownedBy(ada, order as typeof order | undefined, ownerOf, notFound)).toEqualTypeOf<typeof order>()
    // Without an owner it is nobody's, and still there.
    for (const one of [{ ownerId: null }, {}]) {
      expect(() => ownedBy(ada, one, ownerOf, notFound)).toThrow(NotFoundError)
      expect(ownedBy(admin, one, ownerOf, notFound, staff)).toBe(one)
    }
  })

  test('when it is not there, or not for who asks, nothing is given', () => {
    const ownerOf = ({ ownerId }: { readonly ownerId: string }): string => ownerId
    const bobs = { ownerId: 'bob' }
    expect(() => ownedBy(ada, bobs, ownerOf, notFound)).toThrow(NotFoundError)
    expect(() => ownedBy(ada, bobs, ownerOf, notFound, { or: promising })).toThrow(NotFoundError)
    expect(() => ownedBy(nobody, { ownerId: '' }, ownerOf, notFound)).toThrow(NotFoundError)
    for (const none of [undefined, null]) {
      expect(() => ownedBy(ada, none, ownerOf, notFound)).toThrow(NotFoundError)
      expect(() => ownedBy(admin, none, ownerOf, notFound, { or: roles('admin') })).toThrow(NotFoundError)
      expect(() => ownedBy(undefined, none, ownerOf, notFound)).toThrow(UnauthorizedError)
    }
    expect(() => ownedBy(undefined, { ownerId: 'ada' }, ownerOf, notFound)).toThrow(UnauthorizedError)
  })

  test('when refused, no stack was taken', () => {
    try {
      assertCan(ada, roles('admin'))
    } catch (error) {
      expect((error as Error).stack).not.toContain('\n    at ')
    }
    expect.assertions(1)
  })
})
