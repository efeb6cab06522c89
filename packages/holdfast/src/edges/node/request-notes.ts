import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ActiveCall } from '../../core/http/active-call.ts'

// What the parts around one request tell each other about it. Symbols of our own and not a WeakMap: every request pays.
const accounted: unique symbol = Symbol('holdfast.accounted')
const requestId: unique symbol = Symbol('holdfast.requestId')
const route: unique symbol = Symbol('holdfast.route')

const context: unique symbol = Symbol('holdfast.context')

type Noted = IncomingMessage & {
  [accounted]?: boolean
  [requestId]?: string
  [route]?: () => string | undefined
  [context]?: ActiveCall
}

/** Marks a request whose line the pipeline writes, so that a request log around it does not write a second. */
export const markAccounted = (request: Noted): void => {
  request[accounted] = true
}
export const isAccounted = (request: Noted): boolean => request[accounted] === true

/** Keeps the id a request log gave, so that a refusal further in carries the same. */
export const keepRequestId = (request: Noted, id: string): void => {
  request[requestId] = id
}
export const keptRequestId = (request: Noted): string | undefined => request[requestId]

/** Keeps how to ask the framework for the route of a request, so that the line of a refusal names it. */
export const keepRouteOf = (request: Noted, routeOf: () => string | undefined): void => {
  request[route] = routeOf
}
export const keptRoute = (request: Noted): string | undefined => request[route]?.()

/** Keeps what `currentRequest()` answers for this request, so that other parts can add what they find out. */
export const keepContext = (request: Noted, call: ActiveCall): void => {
  request[context] = call
}
export const keptContext = (request: Noted): ActiveCall | undefined => request[context]

const stallTimeout: unique symbol = Symbol('holdfast.stallTimeout')

/** Keeps how long this server waits for a client to read on. */
export const keepStallTimeout = (response: ServerResponse & { [stallTimeout]?: number }, ms: number): void => {
  response[stallTimeout] = ms
}
export const stallTimeoutOf = (response: ServerResponse & { [stallTimeout]?: number }): number | undefined =>
  response[stallTimeout]
