export type { AccessClaims, AccessGrant, AccessTokens, IssuedToken } from '../core/auth/access-token.ts'
export type { ApiKeyRecord, ApiKeyStore } from '../core/auth/api-keys.ts'
export { bearerToken, firstOf, isJwtShaped } from '../core/auth/bearer.ts'
export type { OnSecurityEvent, SecurityEvent } from '../core/auth/security-event.ts'
export { clearRefreshCookie, readCookie, refreshCookie, refreshCookieName } from '../core/auth/refresh-cookie.ts'
export type { IssueOptions } from '../core/auth/access-token.ts'
export { createSessions } from '../core/auth/create-sessions.ts'
export { maxListed, maxRevocationMs, rememberedTokens } from '../core/auth/session-store.ts'
export type {
  FoundSession,
  NewSession,
  Revocation,
  RevocationBatch,
  RotateRequest,
  Rotation,
  SessionKey,
  SessionRecord,
  SessionStore,
} from '../core/auth/session-store.ts'
export type { Sessions, SessionsOptions, SignedIn } from '../core/auth/sessions.ts'
