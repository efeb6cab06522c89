export {
  access,
  authentication,
  cors,
  headers,
  principalOf,
  rateLimit,
  requirePrincipal,
  sameOrigin,
} from '../edges/express/guards.ts'
export { asyncHandler, errorHandler, requestLog, validate, type ValidateHandler } from '../edges/express/parts.ts'
export { fallback, type FallbackOptions, routes } from '../edges/express/routes.ts'
export { listen, type ListeningServer, type ListenOptions } from '../edges/node/listen.ts'
export type { RequestLogOptions } from '../edges/node/observe.ts'
export { createServer, type ServerLimits } from '../edges/node/server.ts'
export type { Validated, ValidateOptions } from '../edges/node/validation.ts'
export type {
  AuthenticationOptions,
  HeadersOptions,
  RateLimitOptions,
  SameOriginOptions,
} from '../edges/node/guards.ts'
