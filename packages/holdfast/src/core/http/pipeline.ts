import { ValidationError, withoutStack } from '../../foundation/errors.ts'
import { assertAccess } from '../auth/access.ts'
import type { Credentials, Principal } from '../auth/principal.ts'
import { withRequest } from '../context/request-context.ts'
import { type ActiveCall, deadlineError, tooSlow } from './active-call.ts'
import { foreignOrigin, type TrustsCookies } from './cookies.ts'
import { compileInput, type VouchedInput } from './input.ts'
import { assertJsonHeaders, parseJsonBody } from './json-body.ts'
import { passBodyGates, passGate, type RouteLimits, routeLimits } from './limits.ts'
import type { PipelineSettings } from './pipeline-settings.ts'
import type { WireReply } from './raw-call.ts'
import { refuse } from './refuse.ts'
import type { Reply } from './reply.ts'
import { compileReply, contentTypes, jsonContentType } from './reply-writer.ts'
import type { Route, RouteSpec } from './route.ts'
import { vouchedPrincipal } from './vouched-principal.ts'
import { assertPrivate, setsCookie, toWire, type Written } from './wire-reply.ts'

/** One route as one function: a call in, a reply out, nothing thrown. */
export type RunRoute = (call: ActiveCall, values: readonly string[], search: string) => WireReply | Promise<WireReply>

/**
 * Compiles a route. The function it gives tells the story of a call in order: admit (limit by address → authenticate →
 * access → limit by principal) → serve (read body → parse → limit by body → handle) → write (let out). It runs without a
 * promise as long as nothing has to be waited for.
 */
export function compileRoute(route: Route, settings: PipelineSettings): RunRoute {
  const { spec } = route
  const timeoutMs = spec.timeoutMs ?? settings.timeoutMs
  const isForOneVisitor = spec.access !== 'public' || spec.cookies !== undefined
  const blocks = settings.headers.blocks(spec.headers ?? 'default', isForOneVisitor)
  const limits = routeLimits(settings.limiter, spec.limit)
  const admit = compileAdmission(spec, limits, settings)
  const serve = compileService(route, limits, settings)
  const write = compileWriting(route, isForOneVisitor, settings)

  return (call, values, search) => {
    call.route = route.path
    call.isolation = spec.isolation
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

/** Who may come in: limit by address → authenticate → access → limit by principal. */
function compileAdmission(
  spec: RouteSpec,
  limits: RouteLimits,
  settings: PipelineSettings,
): (call: ActiveCall) => void | Promise<void> {
  const { trustsCookies } = settings
  const authenticate = spec.access === 'public' ? undefined : settings.authenticate

  const identify = (call: ActiveCall): void | Promise<void> => {
    const principal = authenticate?.(credentialsOf(call, trustsCookies))
    return isThenable(principal)
      ? Promise.resolve(principal).then((settled) => letIn(call, settled))
      : letIn(call, principal)
  }
  const letIn = (call: ActiveCall, given: Principal | undefined): void | Promise<void> => {
    const principal = vouchedPrincipal(given)
    call.principal = principal
    assertAccess(spec.access, principal)
    if (spec.cookies !== undefined && call.raw.headers['cookie'] !== undefined && !trustsCookies(call))
      throw foreignOrigin()
    return principal && limits.principal && passGate(call, limits.principal, principal.id)
  }
  return (call) => {
    const passed = limits.address && passGate(call, limits.address, call.client.key)
    return isThenable(passed) ? passed.then(() => identify(call)) : identify(call)
  }
}

type Serve = (call: ActiveCall, values: readonly string[], search: string) => Reply | Promise<Reply>

/** What the handler does with what schemas vouch for: read body → parse → limit by body → handle. */
function compileService({ path, spec, handler }: Route, limits: RouteLimits, settings: PipelineSettings): Serve {
  const maxBodyBytes = spec.maxBodyBytes ?? settings.maxBodyBytes
  const parse = compileInput(spec, spec.unknownKeys ?? 'refuse', settings.prepareSchema)
  const names = parameterNames(path)

  const serveWithoutBody: Serve = (call, values, search) => {
    refuseBody(call)
    const input = parse({ params: toRecord(names, values), search, body: undefined, cookie: cookieOf(call) })
    return isThenable(input) ? input.then((settled) => handle(call, settled)) : handle(call, input)
  }
  const serveWithBody: Serve = async (call, values, search) => {
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
  const act = (call: ActiveCall): Reply | Promise<Reply> => {
    // Whatever took so long, its client was told that this failed, and may be trying again.
    call.throwIfOver()
    return withRequest(call, handler as (call: ActiveCall) => Reply | Promise<Reply>, call)
  }
  return spec.body === undefined ? serveWithoutBody : serveWithBody
}

/** What may leave, as its schema lets it. */
function compileWriting(
  { method, path, spec }: Route,
  isForOneVisitor: boolean,
  settings: PipelineSettings,
): (reply: Reply) => Written | Promise<Written> {
  const name = `${method} ${path}`
  const writeBody = compileReply(name, spec.reply, settings.prepareSchema, settings.format)
  const types = contentTypes(spec.reply)

  return (reply) => {
    // Each member is read once: what was judged is what is sent.
    const { status, data, headers } = reply ?? ({} as Reply)
    if (headers !== undefined && (isForOneVisitor || setsCookie(headers))) assertPrivate(name, headers)
    const body = writeBody({ status, data })
    const type = types.get(status) ?? jsonContentType
    return isThenable(body)
      ? body.then((text) => ({ status, headers, type, body: text }))
      : { status, headers, type, body }
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

function letOut(call: ActiveCall, written: Written, settings: PipelineSettings): WireReply {
  try {
    return toWire(call, written, settings)
  } catch (thrown) {
    return refuse(call, thrown, settings)
  }
}

/** True when a value must be waited for. */
function isThenable<T>(value: T | Promise<T> | undefined | void): value is Promise<T> {
  return (
    value instanceof Promise ||
    (typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function')
  )
}
