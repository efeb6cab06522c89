export {
  access,
  authentication,
  cors,
  headers,
  limit,
  principalOf,
  rateLimit,
  requirePrincipal,
  sameOrigin,
} from '../edges/fastify/guards.ts'
export { fastifyOptions } from '../edges/fastify/options.ts'
export { errorHandler, requestLog, validate, type ValidateHook } from '../edges/fastify/parts.ts'
export { fallback, type FallbackOptions, routes, type RoutesOptions } from '../edges/fastify/routes.ts'
export { listen, type ListeningServer, type ListenOptions } from '../edges/node/listen.ts'
export type { RequestLogOptions } from '../edges/node/observe.ts'
export type { ServerLimits } from '../edges/node/server.ts'
export type { Validated, ValidateOptions } from '../edges/node/validation.ts'
export type {
  AuthenticationOptions,
  HeadersOptions,
  RateLimitOptions,
  SameOriginOptions,
} from '../edges/node/guards.ts'
