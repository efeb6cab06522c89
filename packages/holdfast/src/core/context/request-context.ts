import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from '../../foundation/logger.ts'

/** Who asks, as far as layers below HTTP need to know. */
export interface Caller {
  readonly id: string
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
  readonly sessionId?: string | undefined
}

/** What every layer may know of the request it works for, without being handed it. */
export interface RequestContext {
  readonly requestId: string
  /** Who asks, as an address in one spelling; `unknown` when the socket is already gone. */
  readonly clientAddress: string
  /** Who asks, after authentication; nobody on a public route. */
  readonly principal: Caller | undefined
  /** The class of work that its route belongs to; databases have a pool for each. */
  readonly isolation: string | undefined
  /** Adds the request id to each line. */
  readonly logger: Logger
  /** Aborts when the deadline has passed or the client has gone. Hand it to whatever waits. */
  readonly signal: AbortSignal
  /** W3C `traceparent` to send with outgoing calls. */
  readonly traceparent: string
  /** Milliseconds until the deadline; never below zero. */
  remainingMs(): number
}

const storage = new AsyncLocalStorage<RequestContext>()

/** The request being served by this asynchronous flow; `undefined` outside of one. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore()
}

/** Runs `work` so that {@link currentRequest} answers `context` in it and in everything it starts. */
export function withRequest<Argument, Result>(
  context: RequestContext,
  work: (argument: Argument) => Result,
  argument: Argument,
): Result {
  return storage.run(context, work, argument)
}
