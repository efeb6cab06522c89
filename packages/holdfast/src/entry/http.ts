export { createHttp, type CreateHttpOptions } from '../adapters/zod/create-http.ts'
export {
  type Access,
  type AccessRule,
  allOf,
  anyOf,
  assertAccess,
  assertCan,
  assertOwner,
  type AssertOwnerOptions,
  ownedBy,
  permission,
  roles,
  signedIn,
} from '../core/auth/access.ts'
export type { Authenticate, Credentials, Principal } from '../core/auth/principal.ts'
export { actAs, type Actor, currentCaller, isolated } from '../core/context/acting.ts'
export { type Caller, currentRequest, type RequestContext } from '../core/context/request-context.ts'
export {
  type ClientAddress,
  type ClientAddressOptions,
  createClientResolver,
  type ResolveClient,
  type Topology,
} from '../core/http/client-address.ts'
export type { CorsOptions } from '../core/http/cors.ts'
export { invalidCursor, maxCursorLength, parseCursor, toCursor } from '../core/http/cursor.ts'
export type { RouteExplanation, StageExplanation } from '../core/http/explain.ts'
export type { HeaderPolicies } from '../core/http/header-blocks.ts'
export type { HeaderPolicy } from '../core/http/header-policy.ts'
export type { Found, Http, HttpOptions } from '../core/http/http.ts'
export type { HealthPort } from '../core/http/probes.ts'
export { type Problem, type ProblemContext, toProblem, type Verdict } from '../core/http/problem.ts'
export type { RawCall, WireReply } from '../core/http/raw-call.ts'
export {
  accepted,
  created,
  type Empty,
  empty,
  noContent,
  ok,
  type Page,
  page,
  pageOf,
  type PageReply,
  type PageSchema,
  type Reply,
  type ReplyFor,
  type ReplyHeaders,
  type ReplyShape,
  type ReplyShapes,
  textOf,
  type TextSchema,
} from '../core/http/reply.ts'
export type { ReplyFormat, Success } from '../core/http/reply-writer.ts'
export {
  type Call,
  del,
  get,
  type Handler,
  type Method,
  patch,
  post,
  put,
  type Route,
  type RouteSpec,
} from '../core/http/route.ts'
export type { IsolationLevel, TransactionOptions, Transactions } from '../core/transactions/transactions.ts'
export type { PreparedSchema, PrepareSchema, UnknownKeys } from '../core/validation/prepared-schema.ts'
export { type Clock, systemClock, type Timer } from '../foundation/clock.ts'
export type { LogFields, Logger, LogMethod } from '../foundation/logger.ts'
export type { Schema } from '../foundation/schema.ts'
