import { UnauthorizedError, withoutStack } from '../../foundation/errors.ts'

/**
 * Why a token was refused, for logs and counters: one word of a closed list, so it may be a label. The caller learns
 * only whether its token has expired.
 */
export type RefusalReason =
  | 'too_long'
  /** Not a compact JWS, not canonical base64url, not JSON, or a member stands twice. */
  | 'malformed'
  /** Another header member than `alg`, `kid` and `typ`. */
  | 'header'
  | 'type'
  | 'algorithm'
  | 'unknown_key'
  | 'signature'
  | 'issuer'
  | 'audience'
  /** A claim is missing, of the wrong type or out of bounds. */
  | 'claims'
  /** It would live longer than any token of this issuer. */
  | 'lifetime'
  | 'expired'
  | 'not_yet_valid'
  /** `toPrincipal` knew nobody by these claims. */
  | 'no_principal'

/** Told of each refusal. What it throws is dropped: nobody is let in or kept waiting for it. */
export type OnRefused = (reason: RefusalReason) => void

export function refusalError(reason: RefusalReason): UnauthorizedError {
  return withoutStack(() =>
    reason === 'expired'
      ? new UnauthorizedError('The access token has expired; get a new one.', { code: 'auth.token_expired' })
      : new UnauthorizedError('The access token is not valid.', { code: 'auth.token_invalid' }),
  )
}

export function tellOfRefusal(onRefused: OnRefused | undefined, reason: RefusalReason): void {
  try {
    onRefused?.(reason)
  } catch {
    // A counter that fails must not turn a 401 into a 500.
  }
}
