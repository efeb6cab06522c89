import { AsyncLocalStorage } from 'node:async_hooks'
import { type Caller, currentRequest, type RequestContext } from './request-context.ts'

interface Acting {
  readonly caller: Caller | undefined
  readonly isolation: string | undefined
  /** The request in which it began: one that begins inside of it has a caller and a class of its own. */
  readonly request: RequestContext | undefined
}

const storage = new AsyncLocalStorage<Acting>()

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
export function actAs<Result>(caller: Caller | undefined, work: () => Result): Result {
  return storage.run({ caller, isolation: currentIsolation(), request: currentRequest() }, work)
}

/** Runs `work` on the pools of another class of work, as `isolation` of a route does. */
export function isolated<Result>(isolation: string, work: () => Result): Result {
  return storage.run({ caller: currentCaller(), isolation, request: currentRequest() }, work)
}

function actingHere(): Acting | undefined {
  const acting = storage.getStore()
  return acting !== undefined && acting.request === currentRequest() ? acting : undefined
}
