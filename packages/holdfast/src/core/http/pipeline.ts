import type { Clock } from '../../foundation/clock.ts'
import { AppError, isAppError, ValidationError, withoutStack } from '../../foundation/errors.ts'
import type { Logger } from '../../foundation/logger.ts'
import { assertAccess } from '../auth/access.ts'
import type { Authenticate, Credentials, Principal } from '../auth/principal.ts'
import { withRequest } from '../context/request-context.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import type { PrepareSchema } from '../validation/prepared-schema.ts'
import { type ActiveCall, deadlineError, tooSlow } from './active-call.ts'
import type { Cors } from './cors.ts'
import { foreignOrigin, type TrustsCookies } from './cookies.ts'
import {
  defaultHeaders,
  type FlatHeaders,
  keepFromCaches,
  keepsPrivate,
  tellsCaches,
  withReplyHeaders,
} from './header-block.ts'
import type { HeaderBlocks, HeaderBook } from './header-blocks.ts'
import { compileInput, type VouchedInput } from './input.ts'
import { assertJsonHeaders, parseJsonBody } from './json-body.ts'
import { routeLimits, passBodyGates, passGate } from './limits.ts'
import { challengeOf, lastResortBody, type Problem, problemContentType, toProblem } from './problem.ts'
import type { WireReply } from './raw-call.ts'
import type { Reply, ReplyHeaders } from './reply.ts'
import { compileReply, contentTypes, jsonContentType, type ReplyFormat } from './reply-writer.ts'
import { logRequest } from './request-log.ts'
import type { Route } from './route.ts'
import { vouchedPrincipal } from './vouched-principal.ts'

/** What all routes of a service share, settled at registration. */
export interface PipelineSettings {
  readonly logger: Logger
  readonly clock: Clock
  readonly headers: HeaderBook
  /** For whatever has no route. */
  readonly blocks: HeaderBlocks
  readonly cors: Cors | undefined
  readonly limiter: Limiter | undefined
  readonly trustsCookies: TrustsCookies
  readonly prepareSchema: PrepareSchema
  readonly authenticate: Authenticate | undefined
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly maxJsonDepth: number
  readonly format: ReplyFormat | undefined
  readonly revealDefects: boolean
}

/** One route as one function: a call in, a reply out, nothing thrown. */
export type RunRoute = (call: ActiveCall, values: readonly string[], search: string) => WireReply | Promise<WireReply>

/**
 * Compiles a route. The function it gives tells the story of a call in order: limit by address → authenticate → access →
 * limit by principal → read body → parse → limit by body → handle → let out. It runs without a promise as long as nothing has to be waited for.
 */
export function compileRoute(route: Route, settings: PipelineSettings): RunRoute {
  const { spec } = route
  const name = `${route.method} ${route.path}`
  const timeoutMs = spec.timeoutMs ?? settings.timeoutMs
  const maxBodyBytes = spec.maxBodyBytes ?? settings.maxBodyBytes
  const isGuarded = spec.access !== 'public'
  const authenticate = isGuarded ? settings.authenticate : undefined
  const isForOne = isGuarded || spec.cookies !== undefined
  const blocks = settings.headers.blocks(spec.headers ?? 'default', isForOne)
  const limits = routeLimits(settings.limiter, spec.limit)
  const parse = compileInput(spec, spec.unknownKeys ?? 'refuse', settings.prepareSchema)
  const names = parameterNames(route.path)
  const handler = route.handler as (call: ActiveCall) => Reply | Promise<Reply>
  const writeBody = compileReply(name, spec.reply, settings.prepareSchema, settings.format)
  const types = contentTypes(spec.reply)

  const admit = (call: ActiveCall): void | Promise<void> => {
    const passed = limits.address && passGate(call, limits.address, call.client.key)
    return isThenable(passed) ? passed.then(() => identify(call)) : identify(call)
  }
  const identify = (call: ActiveCall): void | Promise<void> => {
    const principal = authenticate?.(credentialsOf(call, settings.trustsCookies))
    return isThenable(principal)
      ? Promise.resolve(principal).then((settled) => letIn(call, settled))
      : letIn(call, principal)
  }
  const letIn = (call: ActiveCall, given: Principal | undefined): void | Promise<void> => {
    const principal = vouchedPrincipal(given)
    call.principal = principal
    assertAccess(spec.access, principal)
    if (spec.cookies !== undefined && !settings.trustsCookies(call) && call.raw.headers['cookie'] !== undefined) {
      throw foreignOrigin()
    }
    return principal && limits.principal && passGate(call, limits.principal, principal.id)
  }
  const serve = (call: ActiveCall, values: readonly string[], search: string): Reply | Promise<Reply> => {
    if (spec.body !== undefined) return readAndHandle(call, values, search)
    refuseBody(call)
    const input = parse({ params: toRecord(names, values), search, body: undefined, cookie: cookieOf(call) })
    return isThenable(input) ? input.then((settled) => handle(call, settled)) : handle(call, input)
  }
  const readAndHandle = async (call: ActiveCall, values: readonly string[], search: string): Promise<Reply> => {
    assertJsonHeaders(withBodyType(call))
    call.isReceiving = true
    const bytes = await call.raw.readBody(maxBodyBytes)
    call.isReceiving = false
    const body = parseJsonBody(bytes, settings.maxJsonDepth)
    return handle(call, await parse({ params: toRecord(names, values), search, body, cookie: cookieOf(call) }))
  }
  const handle = (call: ActiveCall, input: VouchedInput): Reply | Promise<Reply> => {
    call.throwIfOver()
    call.params = input.params
    call.query = input.query
    call.body = input.body
    call.cookies = input.cookies
    return limits.body.length === 0 ? act(call) : passBodyGates(call, limits.body).then(() => act(call))
  }
  // Whatever took so long, its client was told that this failed, and may be trying again.
  const act = (call: ActiveCall): Reply | Promise<Reply> => {
    call.throwIfOver()
    return withRequest(call, handler, call)
  }

  // Each member is read once: what was judged is what is sent.
  const write = (reply: Reply): Written | Promise<Written> => {
    const { status, data, headers } = reply ?? ({} as Reply)
    if (headers !== undefined && (isForOne || setsCookie(headers))) assertPrivate(name, headers)
    const body = writeBody({ status, data })
    const type = types.get(status) ?? jsonContentType
    return isThenable(body)
      ? body.then((text) => ({ status, headers, type, body: text }))
      : { status, headers, type, body }
  }

  return (call, values, search) => {
    call.route = route.path
    call.timeoutMs = timeoutMs
    call.blocks = blocks
    try {
      const admitted = admit(call)
      const reply = isThenable(admitted)
        ? admitted.then(() => serve(call, values, search))
        : serve(call, values, search)
      // `resolve`, because a thenable of somebody else's making may throw, call back twice or give nothing back.
      const written = isThenable(reply) ? Promise.resolve(reply).then(write) : write(reply)
      return isThenable(written) ? awaitReply(call, written, settings) : toWire(call, written, settings)
    } catch (thrown) {
      return refuse(call, thrown, settings)
    }
  }
}

/** Cookies that a foreign page had sent along prove nothing. */
function credentialsOf(call: ActiveCall, trustsCookies: TrustsCookies): Credentials {
  const authorization = toText(call.raw.headers['authorization'])
  const cookie = cookieOf(call)
  return { authorization, cookie: cookie !== undefined && trustsCookies(call) ? cookie : undefined }
}

const cookieOf = (call: ActiveCall): string | undefined => toText(call.raw.headers['cookie'])

const toText = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

const parameterNames = (path: string): string[] =>
  path.split('/').flatMap((segment) => (segment.startsWith(':') ? [segment.slice(1)] : []))

function toRecord(names: readonly string[], values: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {}
  for (let at = 0; at < names.length; at++) record[names[at] as string] = values[at] as string
  return record
}

/** A route without a `body` schema takes none: bytes that nobody reads are how one request hides in another. */
function refuseBody(call: ActiveCall): void {
  if (!announcesBody(call)) return
  throw withoutStack(() => new ValidationError('This takes no body; send none.', { code: 'request.unexpected_body' }))
}

/** An empty body of no type is judged as a missing body and not as one of a wrong type. */
function withBodyType(call: ActiveCall): ActiveCall['raw']['headers'] {
  const { headers } = call.raw
  const isNothing = !announcesBody(call) && headers['content-type'] === undefined
  return isNothing ? { 'content-type': 'application/json' } : headers
}

function announcesBody({ raw: { headers } }: ActiveCall): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/** Waits for a reply until the deadline. Whatever comes later is logged and answers nobody. */
function awaitReply(call: ActiveCall, written: Promise<Written>, settings: PipelineSettings): Promise<WireReply> {
  return new Promise((resolve) => {
    let isOver = false
    const finish = (outcome: () => WireReply): void => {
      if (isOver) return
      isOver = true
      timer.cancel()
      resolve(outcome())
    }
    const timer = settings.clock.schedule(call.remainingMs(), () => {
      const error = call.isReceiving ? tooSlow() : deadlineError(call.timeoutMs)
      call.abort(error)
      finish(() => refuse(call, error, settings))
    })
    written.then(
      (settled) => finish(() => letOut(call, settled, settings)),
      (thrown: unknown) => (isOver ? logLate(call, thrown, settings) : finish(() => refuse(call, thrown, settings))),
    )
  })
}

function logLate(call: ActiveCall, thrown: unknown, { logger }: PipelineSettings): void {
  // The usual reason is that the deadline itself stopped the work.
  if (call.isAbortReason(thrown)) return
  logger.warn({ err: thrown, requestId: call.requestId, route: call.route }, 'a handler failed after its deadline')
}

/** @throws {TypeError} for headers that would let others read what was made for one visitor. A defect. */
function assertPrivate(name: string, headers: ReplyHeaders): void {
  for (const key in headers) {
    if (!tellsCaches(key.toLowerCase()) || keepsPrivate(String(headers[key]))) continue
    throw new TypeError(
      `A reply of ${name} is made for one visitor, so it may not be cached for others; say private or no-store in ${key}`,
    )
  }
}

function setsCookie(headers: ReplyHeaders): boolean {
  for (const key in headers) if (key.length === 10 && key.toLowerCase() === 'set-cookie') return true
  return false
}

interface Written {
  readonly status: number
  readonly type: string
  readonly headers: Reply['headers']
  readonly body: string | undefined
}

function letOut(call: ActiveCall, written: Written, settings: PipelineSettings): WireReply {
  try {
    return toWire(call, written, settings)
  } catch (thrown) {
    return refuse(call, thrown, settings)
  }
}

function toWire(call: ActiveCall, reply: Written, settings: PipelineSettings): WireReply {
  const { body } = reply
  const block = (call.blocks ?? settings.blocks).of(call)
  const headers = reply.headers === undefined ? block.slice() : withReplyHeaders(block, reply.headers)
  if (reply.headers !== undefined && setsCookie(reply.headers)) keepFromCaches(headers)
  const bytes = body === undefined ? 0 : Buffer.byteLength(body)
  if (body !== undefined) headers.push('content-type', reply.type, 'content-length', String(bytes))
  // RFC 9110, section 8.6: a 204 has no length; without one anything else would be sent in chunks.
  else if (reply.status !== 204) headers.push('content-length', '0')
  pushCallHeaders(headers, call)
  call.settleLimits(reply.status)
  logRequest(settings.logger, call, reply.status, bytes)
  return { status: reply.status, headers, body, closes: false }
}

/** What only this call's reply carries. */
export function pushCallHeaders(headers: string[], call: ActiveCall): void {
  headers.push('x-request-id', call.requestId)
  if (call.limitPolicy === undefined || call.limitState === undefined) return
  headers.push('ratelimit-policy', call.limitPolicy, 'ratelimit', call.limitState)
}

/**
 * The one handler of everything thrown, on any edge, by any layer. Expected failures are answered with what they say;
 * all else is logged whole and answered bare. Never throws itself.
 */
export function refuse(
  call: ActiveCall,
  thrown: unknown,
  settings: PipelineSettings,
  extraHeaders: FlatHeaders = [],
): WireReply {
  try {
    return toRefusal(call, thrown, settings, extraHeaders)
  } catch (again) {
    return lastResort(again, settings)
  }
}

function toRefusal(
  call: ActiveCall,
  thrown: unknown,
  settings: PipelineSettings,
  extraHeaders: FlatHeaders,
): WireReply {
  const context = { requestId: call.requestId, instance: call.instance }
  const { problem, isDefect, retryAfterSeconds } = toProblem(thrown, context)
  // What the abort of its own signal made a handler throw is no defect: it did what it was asked to.
  if (isDefect && !call.isAbortReason(thrown)) logDefect(call, thrown, settings)
  else if (problem.status >= 500 && !isRoutine(thrown)) logOutage(call, thrown, settings)
  const body = JSON.stringify(isDefect && settings.revealDefects ? reveal(problem, thrown) : problem)
  const bytes = Buffer.byteLength(body)
  const headers = [...(call.blocks ?? settings.blocks).of(call), ...extraHeaders]
  // A cache that kept one caller's refusal would refuse everybody.
  keepFromCaches(headers)
  headers.push('content-type', problemContentType, 'content-length', String(bytes))
  pushCallHeaders(headers, call)
  call.settleLimits(problem.status)
  if (retryAfterSeconds !== undefined) headers.push('retry-after', String(retryAfterSeconds))
  // RFC 9110 section 11.6.1 demands a challenge with every 401.
  if (problem.status === 401) headers.push('www-authenticate', challengeOf(problem.code))
  logRequest(settings.logger, call, problem.status, bytes, problem.code)
  return { status: problem.status, headers, body, closes: problem.status === 408 }
}

/** A refusal of our own that is handed out by the thousand under load: its request line says all there is to say. */
function isRoutine(thrown: unknown): boolean {
  return isAppError(thrown) && thrown.cause === undefined && !String(thrown.stack).includes('\n    at ')
}

/** The handler of errors failed: a constant, so that nothing about it can fail or leak. */
export function lastResort(thrown: unknown, { logger }: PipelineSettings): WireReply {
  logger.fatal({ err: thrown }, 'the error handler failed')
  const length = String(lastResortBody.length)
  const headers = [...defaultHeaders, 'content-type', problemContentType, 'content-length', length]
  return { status: 500, headers, body: lastResortBody, closes: false }
}

function logDefect(call: ActiveCall, thrown: unknown, { logger }: PipelineSettings): void {
  const { method } = call.raw
  logger.error(
    { err: thrown, method, route: call.route, requestId: call.requestId },
    'a defect: nobody expected this to be thrown',
  )
}

function logOutage(call: ActiveCall, thrown: unknown, { logger }: PipelineSettings): void {
  logger.warn({ err: thrown, route: call.route, requestId: call.requestId }, 'something this service depends on failed')
}

/** For the developer's own screen: the detail that everybody else must not see. */
function reveal(problem: Problem, thrown: unknown): Problem {
  try {
    return { ...problem, detail: thrown instanceof Error ? String(thrown.stack) : String(thrown) }
  } catch {
    return problem
  }
}

/** True when a value must be waited for. */
function isThenable<T>(value: T | Promise<T> | undefined | void): value is Promise<T> {
  return (
    value instanceof Promise ||
    (typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function')
  )
}

/** The refusal of a method that a path does not have. */
export const methodNotAllowed = (): AppError =>
  withoutStack(
    () =>
      new AppError(
        'method-not-allowed',
        'request.method_not_allowed',
        'This path has other methods; `Allow` lists them.',
      ),
  )
