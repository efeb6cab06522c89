export type { AccessClaims, AccessGrant, AccessTokens, IssuedToken } from '../core/auth/access-token.ts'
export type { ApiKeyRecord, ApiKeyStore } from '../core/auth/api-keys.ts'
export { bearerToken, firstOf, isJwtShaped } from '../core/auth/bearer.ts'
export type { OnSecurityEvent, SecurityEvent } from '../core/auth/security-event.ts'
export type {
  NewSession,
  Revocation,
  RevocationBatch,
  RotateRequest,
  Rotation,
  SessionRecord,
  SessionStore,
} from '../core/auth/session-store.ts'
export type { Sessions, SessionsOptions, SignedIn } from '../core/auth/sessions.ts'
