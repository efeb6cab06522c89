/** Who calls, after authentication. */
export interface Principal {
  /** Stable and opaque: an account's or a machine's id. Written to the request log. */
  readonly id: string
  readonly roles: readonly string[]
  /** What it may do, as `area:action`: `orders:write`. */
  readonly permissions: readonly string[]
  /** The session whose token was shown, for those that people signed in to. */
  readonly sessionId?: string | undefined
  /** The API key that was shown, for machines. */
  readonly keyId?: string | undefined
}

/** The parts of a request that may prove who is calling. */
export interface Credentials {
  /** The `Authorization` header as it came, if it came. */
  readonly authorization: string | undefined
  readonly cookie: string | undefined
}

/**
 * Turns credentials into a principal. Gives `undefined` when none were shown; throws `UnauthorizedError` for wrong
 * ones. Anything else it throws is a defect, and the call is refused.
 */
export type Authenticate = (credentials: Credentials) => Principal | undefined | Promise<Principal | undefined>
