import { signedIn } from '../../src/core/auth/access.ts'
import type { HeaderPolicy } from '../../src/core/http/header-policy.ts'
import { isEmpty, isPageSchema, isTextSchema, pageOf, type ReplyShape } from '../../src/core/http/reply.ts'
import type { RouteSpec } from '../../src/core/http/route.ts'
import type { Schema } from '../../src/foundation/schema.ts'
import type { Service } from './service.ts'

// A guard is taken out by composing the service without it: routes and options go in, and come back with one guard less.
// Nothing of the kit is told to look away, so there is no switch that production could trip over.

export type Without = (service: Service) => Service

const policy = (...headers: string[]): HeaderPolicy => ({ headers, secureHeaders: [] })

/** The service says nothing about its replies. */
export const withoutHeaders: Without = (service) => withOptions(service, { headers: policy() })

/** The service says the worst that it could. */
export const withoutPrivacy: Without = (service) =>
  withOptions(service, { headers: policy('cache-control', 'public, max-age=600') })

/** Pages of every origin may read. */
export const withoutCors: Without = (service) => withOptions(service, { cors: { origins: '*' } })

/** Pages of the attacker's origin may read, and send what cookies they have. */
export const withoutCorsFor =
  (origin: string): Without =>
  (service) =>
    withOptions(service, { cors: { origins: [origin], credentials: true } })

/** Nothing is counted. */
export const withoutLimiter: Without = ({ routes, options }) => {
  const { limiter: _, ...others } = options
  return { options: others, routes: mapSpecs(routes, ({ limit: _limit, ...spec }) => spec) }
}

/** Heavy work has the same connections as any other. */
export const withoutIsolation: Without = ({ routes, options }) => ({
  options,
  routes: mapSpecs(routes, ({ isolation: _isolation, ...spec }) => spec),
})

/** Everybody is nobody. */
export const withoutAuthentication: Without = (service) => withOptions(service, { authenticate: () => undefined })

/** Whoever signed in may call every route that is not public. */
export const withoutRights: Without = ({ routes, options }) => ({
  options,
  routes: mapSpecs(routes, (spec) => (spec.access === 'public' ? spec : { ...spec, access: signedIn })),
})

/** Everybody may call every route. */
export const withoutAccess: Without = ({ routes, options }) => ({
  options,
  routes: mapSpecs(routes, (spec) => ({ ...spec, access: 'public' })),
})

/** Whatever was sent reaches the handler, as it came. */
export const withoutValidation: Without = ({ routes, options }) => ({
  options,
  routes: mapSpecs(routes, (spec) => {
    const parts = ['params', 'query', 'body'] as const
    const open = parts.filter((part) => spec[part] !== undefined).map((part) => [part, anything] as const)
    return { ...spec, ...Object.fromEntries(open), unknownKeys: 'drop' }
  }),
})

/** Whatever a handler gives leaves, as it is. */
export const withoutReplies: Without = ({ routes, options }) => ({
  options,
  routes: mapSpecs(routes, (spec) => ({
    ...spec,
    reply: Object.fromEntries(Object.entries(spec.reply).map(([status, shape]) => [status, opened(shape)])),
  })),
})

const opened = (shape: ReplyShape): ReplyShape => {
  if (isEmpty(shape) || isTextSchema(shape)) return shape
  return isPageSchema(shape) ? pageOf(anything) : anything
}

/** A schema that vouches for everything. */
const anything: Schema = { '~standard': { version: 1, vendor: 'nobody', validate: (value) => ({ value }) } }

const withOptions = ({ routes, options }: Service, changed: Partial<Service['options']>): Service => ({
  routes,
  options: { ...options, ...changed },
})

const mapSpecs = (routes: Service['routes'], change: (spec: RouteSpec) => RouteSpec): Service['routes'] =>
  routes.map((route) => ({ ...route, spec: change(route.spec) }))
