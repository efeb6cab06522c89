import { AsyncLocalStorage } from 'node:async_hooks'
import { type Caller, currentRequest, type RequestContext } from './request-context.ts'

/** Whom {@link actAs} works for; without roles and permissions, unless it has some. */
export type Actor = Pick<Caller, 'id'> & Partial<Caller>

interface Acting {
  readonly caller: Caller | undefined
  readonly isolation: string | undefined
  /** The request in which it began: one that begins inside of it has a caller and a class of its own. */
  readonly request: RequestContext | undefined
}

const storage = new AsyncLocalStorage<Acting | undefined>()

/** For whom the caller works: whom {@link actAs} named, else the principal of the request; nobody outside of both. */
export function currentCaller(): Caller | undefined {
  const acting = actingHere()
  return acting === undefined ? currentRequest()?.principal : acting.caller
}

/** The class of work the caller belongs to: what {@link isolated} named, else what its route says. */
export function currentIsolation(): string | undefined {
  const acting = actingHere()
  return acting === undefined ? currentRequest()?.isolation : acting.isolation
}

/**
 * Runs `work` for somebody else than who the request came from, or for somebody where there is no request: in jobs, in
 * tests. Row-level security then lets through what that one may see.
 *
 * @param caller - `undefined` for nobody
 */
export function actAs<Result>(caller: Actor | undefined, work: () => Result): Result {
  const whole = caller && { roles: [], permissions: [], ...caller }
  return runAs({ caller: whole, isolation: currentIsolation(), request: currentRequest() }, work)
}

/** Whether it was said for whom the caller works, and be it nobody: a request or {@link actAs} says so. */
export function isActorKnown(): boolean {
  return currentRequest() !== undefined || actingHere() !== undefined
}

/** Runs `work` on the pools of another class of work, as `isolation` of a route does. */
export function isolated<Result>(isolation: string, work: () => Result): Result {
  return runAs({ caller: currentCaller(), isolation, request: currentRequest() }, work)
}

/** `work`, to be done later for whom, and on whose pools, it is asked now. */
export function asActingNow<Result>(work: () => Result): () => Result {
  const acting = storage.getStore()
  return () => storage.run(acting, work)
}

function runAs<Result>(acting: Acting, work: () => Result): Result {
  return storage.run(acting, () => begun(work()))
}

/** A query that begins when somebody waits for it, such as one of Mongoose, begins here: outside it would be another's. */
function begun<Result>(result: Result): Result {
  const lazy = result as { then?: unknown } | undefined | null
  if (result instanceof Promise || typeof lazy !== 'object' || typeof lazy?.then !== 'function') return result
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  ;(result as PromiseLike<unknown>).then(resolve, reject)
  return promise as Result
}

function actingHere(): Acting | undefined {
  const acting = storage.getStore()
  return acting !== undefined && acting.request === currentRequest() ? acting : undefined
}
