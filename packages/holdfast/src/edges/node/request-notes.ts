import type { IncomingMessage } from 'node:http'

// What the parts around one request tell each other about it, without touching the framework's objects.
const accounted = new WeakSet<IncomingMessage>()
const ids = new WeakMap<IncomingMessage, string>()

/** Marks a request whose line the pipeline writes, so that a request log around it does not write a second. */
export const markAccounted = (request: IncomingMessage): void => {
  accounted.add(request)
}
export const isAccounted = (request: IncomingMessage): boolean => accounted.has(request)

/** Keeps the id a request log gave, so that a refusal further in carries the same. */
export const keepRequestId = (request: IncomingMessage, id: string): void => {
  ids.set(request, id)
}
export const keptRequestId = (request: IncomingMessage): string | undefined => ids.get(request)
