import type { IncomingMessage } from 'node:http'

// What the parts around one request tell each other about it. Symbols of our own and not a WeakMap: every request pays.
const accounted: unique symbol = Symbol('holdfast.accounted')
const requestId: unique symbol = Symbol('holdfast.requestId')

type Noted = IncomingMessage & { [accounted]?: boolean; [requestId]?: string }

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
