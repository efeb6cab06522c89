/** What a service says of who it signed in. */
export interface AccessGrant {
  readonly principalId: string
  readonly sessionId: string
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
}

/** An access token that was verified: signature, issuer, audience, type and times. */
export interface AccessClaims extends AccessGrant {
  /** Milliseconds since 1970, with fractions of a second: what was issued before a change of roles can be told apart. */
  readonly issuedAt: number
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface IssuedToken {
  /** A JWT in compact form, to be sent as `Authorization: Bearer …`. */
  readonly token: string
  readonly expiresInSeconds: number
}

export interface IssueOptions {
  /**
   * Milliseconds since 1970. The moment before the grant's rights were read, so that a change of rights during the
   * sign-in makes this token stale. Default: the time of the tokens' clock.
   */
  readonly issuedAt?: number | undefined
}

/** Issues and verifies the access tokens of this service. `holdfast/auth` fills it with jose. */
export interface AccessTokens {
  /** How long one lives. */
  readonly lifetimeSeconds: number
  issue(grant: AccessGrant, options?: IssueOptions): Promise<IssuedToken>
  /**
   * Without a promise for a token that was verified lately.
   *
   * @throws {UnauthorizedError} `auth.token_invalid` or `auth.token_expired`; says no more than that
   */
  verify(token: string): AccessClaims | Promise<AccessClaims>
}
