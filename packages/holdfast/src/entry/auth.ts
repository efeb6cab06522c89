export type { Authenticate, Credentials, Principal } from '../core/auth/principal.ts'
export { bearer, bearerToken, firstOf, isJwtShaped } from '../core/auth/bearer.ts'

export { type AccessTokensOptions, createAccessTokens } from '../adapters/jose/access-tokens.ts'
export type { AccessClaims, AccessGrant, AccessTokens, IssuedToken, IssueOptions } from '../core/auth/access-token.ts'
export type { OnRefused, RefusalReason } from '../adapters/jose/refusal.ts'

export {
  createKeySet,
  generateKey,
  jwksText,
  type KeySet,
  type PrivateJwks,
  type PublicJwks,
  type SigningKey,
} from '../adapters/jose/key-set.ts'
export { jwksRoute, type JwksRouteOptions } from '../adapters/jose/jwks-route.ts'
export type { AsymmetricAlgorithm, Jwk, VerificationKey } from '../adapters/jose/jwk.ts'

export {
  createRemoteIssuer,
  type RemoteClaims,
  type RemoteIssuer,
  type RemoteIssuerOptions,
} from '../adapters/jose/remote-issuer.ts'

export { createApiKeys } from '../core/auth/create-api-keys.ts'
export type { ApiKeyInfo, ApiKeys, ApiKeysOptions, IssueApiKey, IssuedApiKey } from '../core/auth/api-keys.ts'
export type { ApiKeyRecord, ApiKeyStore } from '../core/auth/api-key-store.ts'

export { createSessions } from '../core/auth/create-sessions.ts'
export type { Sessions, SessionsOptions, SignedIn } from '../core/auth/sessions.ts'
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
export { clearRefreshCookie, readCookie, refreshCookie, refreshCookieName } from '../core/auth/refresh-cookie.ts'
export type { OnSecurityEvent, SecurityEvent } from '../core/auth/security-event.ts'
