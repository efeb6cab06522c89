export { fastifyOptions } from '../edges/fastify/options.ts'
export { fallback, type FallbackOptions, routes, type RoutesOptions } from '../edges/fastify/routes.ts'
export type { ServerLimits } from '../edges/node/server.ts'
