import { UnauthorizedError, withoutStack } from '../../foundation/errors.ts'
import type { AccessClaims, AccessTokens } from './access-token.ts'
import type { Authenticate, Credentials, Principal } from './principal.ts'

/** RFC 6750 §2.1 with one space: the scheme without regard to case, one token, nothing after it. */
const bearerHeader = /^bearer ([\w.~+/-]+=*)$/i

/**
 * The token of `Authorization: Bearer <token>`, or `undefined` when there is no such header.
 *
 * @throws {UnauthorizedError} `auth.malformed` for any other content: another scheme, a bare token, two of them
 * @see RFC 6750 §2.1
 */
export function bearerToken(credentials: Credentials): string | undefined {
  const { authorization } = credentials
  if (authorization === undefined) return undefined
  const token = bearerHeader.exec(authorization)?.[1]
  if (token === undefined) throw malformedAuthorization()
  return token
}

/** Whether a bearer token has the three parts of a JWT. Everything else is a key of another kind. */
export function isJwtShaped(token: string): boolean {
  const first = token.indexOf('.')
  if (first === -1) return false
  const second = token.indexOf('.', first + 1)
  return second !== -1 && !token.includes('.', second + 1)
}

/**
 * Reads `Authorization: Bearer …` and believes the access tokens of this service, for one that keeps no sessions.
 * Nothing can be taken back: a token is good until it expires, whoever signed out or lost a role meanwhile. Where that
 * matters use the `authenticate` of {@link createSessions}. Leaves bearer tokens that are no JWT to others.
 *
 * Answers without a promise for a token that was verified lately.
 *
 * @throws {UnauthorizedError} `auth.token_invalid`, `auth.token_expired` or `auth.malformed`
 */
export function bearer(tokens: Pick<AccessTokens, 'verify'>): Authenticate {
  return (credentials) => {
    const token = bearerToken(credentials)
    if (token === undefined || !isJwtShaped(token)) return undefined
    const claims = tokens.verify(token)
    return claims instanceof Promise ? claims.then(toPrincipal) : toPrincipal(claims)
  }
}

// A list within a list is asked as one: what one way does not know, the next of the outer list may.
const waysOf = new WeakMap<Authenticate, readonly Authenticate[]>()

/**
 * Asks each in turn who calls, until one says so. One that finds credentials of another kind says `undefined`, and the
 * next is asked; one that finds wrong credentials of its own kind throws, and nobody else is asked. Put a scheme other
 * than Bearer first: those that read bearer tokens refuse any other.
 *
 * Answers without a promise as long as those asked do.
 *
 * @throws {UnauthorizedError} `auth.token_invalid` when an `Authorization` header came that is of nobody's kind: whoever
 *   shows something that is not good is told so, and is not taken for somebody who shows nothing
 */
export function firstOf(...authenticates: readonly [Authenticate, ...Authenticate[]]): Authenticate {
  const ways = authenticates.flatMap((one) => waysOf.get(one) ?? [one])
  const ask = (credentials: Credentials, from: number): Principal | undefined | Promise<Principal | undefined> => {
    for (let at = from; at < ways.length; at++) {
      const answer = ways[at]!(credentials)
      if (isPending(answer)) return answer.then((principal) => principal ?? ask(credentials, at + 1))
      // An answer of somebody else's making may be null, which is nobody as well.
      if (answer != null) return answer
    }
    if (credentials.authorization !== undefined) throw unclaimedToken()
    return undefined
  }
  const authenticate: Authenticate = (credentials) => ask(credentials, 0)
  waysOf.set(authenticate, ways)
  return authenticate
}

const toPrincipal = ({ principalId, sessionId, roles, permissions }: AccessClaims): Principal => ({
  id: principalId,
  roles,
  permissions,
  sessionId,
})

const malformedAuthorization = (): UnauthorizedError =>
  withoutStack(
    () =>
      new UnauthorizedError('Write the header as `Authorization: Bearer <token>`, with one token.', {
        code: 'auth.malformed',
      }),
  )

const unclaimedToken = (): UnauthorizedError =>
  withoutStack(() => new UnauthorizedError('The access token is not valid.', { code: 'auth.token_invalid' }))

const isPending = (answer: ReturnType<Authenticate>): answer is Promise<Principal | undefined> =>
  typeof (answer as { then?: unknown } | undefined)?.then === 'function'
