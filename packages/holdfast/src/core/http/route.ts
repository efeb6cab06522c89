import type { Logger } from '../../foundation/logger.ts'
import type { OutputOf, Schema } from '../../foundation/schema.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'
import { type Access, isAccess } from '../auth/access.ts'
import type { Principal } from '../auth/principal.ts'
import type { RequestContext } from '../context/request-context.ts'
import type { UnknownKeys } from '../validation/prepared-schema.ts'
import type { ClientAddress } from './client-address.ts'
import { isEmpty, isTextSchema, type Reply, type ReplyFor, type ReplyShape, type ReplyShapes } from './reply.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Everything a reviewer needs to know of a route before reading its handler. */
export interface RouteSpec {
  /** Who may call it. Mandatory, also for `'public'`. */
  readonly access: Access
  /** Parameters of the path, each sent as text. Mandatory when the path has any. */
  readonly params?: Schema
  /** The query. Left out, the route takes none. */
  readonly query?: Schema
  /** The JSON body. Left out, the route takes none. */
  readonly body?: Schema
  /**
   * Cookies by name. A call that changes something is then taken from pages of this service's own origin only, and from
   * those that CORS trusts with credentials.
   */
  readonly cookies?: Schema
  /** Limits by name, on top of those that hold everywhere. */
  readonly limit?: string | readonly string[]
  /** Another header policy than the service's `default`, by name. */
  readonly headers?: string
  /**
   * The class of work it belongs to, by name: whatever it asks of a database runs on the pool of that name, so that heavy
   * routes wait for each other and not the light ones for them. Default: none, and so the databases' own default.
   */
  readonly isolation?: string
  /** What may leave, for each status the handler answers with. Mandatory. */
  readonly reply: ReplyShapes
  /** What becomes of members no schema names. Default `'refuse'`. */
  readonly unknownKeys?: UnknownKeys
  /** Milliseconds until the call is given up with 504; 1–3 600 000. Default: the service's `timeoutMs`. */
  readonly timeoutMs?: number
  /** Largest body in bytes; 1–104 857 600. Default: the service's `maxBodyBytes`. */
  readonly maxBodyBytes?: number
}

/** A request as a handler sees it: what its schemas vouch for, and who, when and how long. */
export interface Call<Spec extends RouteSpec = RouteSpec> extends RequestContext {
  readonly params: Vouched<Spec, 'params'>
  readonly query: Vouched<Spec, 'query'>
  readonly body: Vouched<Spec, 'body'>
  readonly cookies: Vouched<Spec, 'cookies'>
  /** Who calls; on a public route nobody may. */
  readonly principal: Spec['access'] extends 'public' ? Principal | undefined : Principal
  readonly client: ClientAddress
  readonly logger: Logger
}

/** The parsed part when a schema vouches for it, else nothing that could be read. */
type Vouched<Spec, Part extends 'params' | 'query' | 'body' | 'cookies'> = Spec extends {
  readonly [Key in Part]: infer S extends Schema
}
  ? OutputOf<S>
  : undefined

export type Handler<Spec extends RouteSpec> = (
  call: Call<Spec>,
) => ReplyFor<Spec['reply']> | Promise<ReplyFor<Spec['reply']>>

/** One row of a route table. Made by {@link get}, {@link post}, {@link put}, {@link patch} and {@link del}. */
export interface Route {
  readonly method: Method
  readonly path: string
  readonly spec: RouteSpec
  readonly handler: (call: never) => Reply | Promise<Reply>
}

type Define = <const Spec extends RouteSpec>(path: string, spec: Spec, handler: Handler<Spec>) => Route

const define =
  (method: Method): Define =>
  (path, spec, handler) => ({ method, path, spec, handler })

export const get: Define = define('GET')
export const post: Define = define('POST')
export const put: Define = define('PUT')
export const patch: Define = define('PATCH')
export const del: Define = define('DELETE')

const pathShape = /^(\/|(\/(:[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9._~-]+))+)$/
const methods: readonly string[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * Stops the boot for a route that says too little, for callers whose compiler did not.
 * @throws {TypeError | RangeError} naming the route and the part
 */
export function assertRoute(route: Route): void {
  const name = `Route ${route.method} ${route.path}`
  const spec = route.spec as Partial<RouteSpec> | undefined
  if (!methods.includes(route.method)) throw new TypeError(`${name}: the method is none of ${methods.join(', ')}`)
  assertPath(name, route.path)
  if (!isAccess(spec?.access)) {
    throw new TypeError(
      `${name} lacks \`access\`; say who may call it: 'public', signedIn, roles(...) or permission(...)`,
    )
  }
  if (spec.reply === undefined || Object.keys(spec.reply).length === 0) {
    throw new TypeError(`${name} lacks \`reply\`; list what may leave for each status, such as { 200: Product }`)
  }
  for (const [status, shape] of Object.entries(spec.reply)) assertReplyShape(name, Number(status), shape)
  assertMembers(name, spec)
  if (route.path.includes(':') && spec.params === undefined) {
    throw new TypeError(`${name} lacks \`params\`; give the schema of the path's parameters`)
  }
  if (route.method === 'GET' && spec.body !== undefined)
    throw new TypeError(`${name}: a GET carries no body; use the query`)
  if (typeof route.handler !== 'function') throw new TypeError(`${name} lacks its handler`)
  assertBound(name, 'timeoutMs', spec.timeoutMs, 3_600_000)
  assertBound(name, 'maxBodyBytes', spec.maxBodyBytes, 104_857_600)
}

// RFC 9110, section 8.3.1
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(; ?[\w!#$&^.+-]+=[\w!#$&^.+-]+)*$/

function assertReplyShape(name: string, status: number, shape: ReplyShape): void {
  if (!Number.isInteger(status) || status < 200 || status > 299) {
    throw new TypeError(
      `${name}: \`reply\` lists ${status}, but handlers answer 200–299; throw an AppError for the rest`,
    )
  }
  // RFC 9110, sections 15.3.5 and 15.3.6
  if ((status === 204 || status === 205) && !isEmpty(shape)) {
    throw new TypeError(`${name}: ${status} has no body; write { ${status}: empty }`)
  }
  if (isTextSchema(shape) && !mediaType.test(shape.textOf)) {
    throw new TypeError(`${name}: ${JSON.stringify(shape.textOf)} is no media type, such as text/html; charset=utf-8`)
  }
}

const members = new Set([
  'access',
  'params',
  'query',
  'body',
  'cookies',
  'limit',
  'headers',
  'isolation',
  'reply',
  'unknownKeys',
  'timeoutMs',
  'maxBodyBytes',
])

/** A misspelt member would leave a part unguarded, and nobody would notice. */
function assertMembers(name: string, spec: Partial<RouteSpec>): void {
  const unknown = Object.keys(spec).find((member) => !members.has(member))
  if (unknown !== undefined) throw new TypeError(`${name}: \`${unknown}\` is none of ${[...members].join(', ')}`)
  if (spec.unknownKeys !== undefined && spec.unknownKeys !== 'refuse' && spec.unknownKeys !== 'drop') {
    throw new TypeError(`${name}: unknownKeys is ${String(spec.unknownKeys)}; write 'refuse' or 'drop'`)
  }
}

function assertPath(name: string, path: string): void {
  if (!pathShape.test(path) || /\/\.{1,2}(\/|$)/.test(path)) {
    throw new TypeError(`${name}: a path is segments such as /products/:id, without a trailing slash or patterns`)
  }
  const names = path.split('/').filter((segment) => segment.startsWith(':'))
  const twice = names.find((one, at) => names.indexOf(one) !== at)
  if (twice !== undefined) throw new TypeError(`${name}: the parameter ${twice} stands in the path twice; rename one`)
}

/** @throws {RangeError} when a number is given and is not a whole one from 1 to `most` */
export function assertBound(owner: string, option: string, value: number | undefined, most: number): void {
  if (value !== undefined) wholeNumber(`${owner}: ${option}`, value, 1, most)
}
