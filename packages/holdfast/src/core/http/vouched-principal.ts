import type { Principal } from '../auth/principal.ts'

/**
 * What an `authenticate` gave, if a rule may be asked about it: to `signedIn` any value is somebody, and a text holds
 * each role that is a part of it.
 *
 * @throws {TypeError} for what is neither a principal nor nobody. A defect, so nobody is let in
 */
export function vouchedPrincipal(given: Principal | null | undefined): Principal | undefined {
  if (given === undefined || given === null) return undefined
  const { id, roles, permissions } = given
  if (typeof id === 'string' && id !== '' && Array.isArray(roles) && Array.isArray(permissions)) return given
  throw new TypeError(
    '`authenticate` gave something that is no principal; give { id, roles, permissions } with an id of text and two lists, or undefined for nobody',
  )
}
