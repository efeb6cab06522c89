import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ActiveCall, createOpenCall, deadlineError } from '../../core/http/active-call.ts'
import { type ClientAddressOptions, createClientResolver } from '../../core/http/client-address.ts'
import { logRequest } from '../../core/http/request-log.ts'
import { assertBound } from '../../core/http/route.ts'
import { type Clock, systemClock } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import { NodeCall } from './node-call.ts'
import { isAccounted, keepContext, keepRequestId, keepRouteOf } from './request-notes.ts'

export interface RequestLogOptions extends ClientAddressOptions {
  readonly logger: Logger
  readonly clock?: Clock
  /**
   * Milliseconds until `currentRequest().signal` aborts with a 504, which ends the statements of this request; 1–3 600 000.
   * What the handler makes of it is its own matter. Default: none
   */
  readonly timeoutMs?: number
}

/** Begins to watch a request that a framework serves by itself; writes its line when it has ended. */
export type Observe = (
  request: IncomingMessage,
  response: ServerResponse,
  routeOf: () => string | undefined,
) => ActiveCall

/** One line per request for handlers that are not in a route table, in the form the pipeline writes. */
export function createObserve(options: RequestLogOptions): Observe {
  const { logger, clock = systemClock, timeoutMs } = options
  assertBound('requestLog', 'timeoutMs', timeoutMs, 3_600_000)
  const open = createOpenCall(createClientResolver(options), clock, logger)
  return (request, response, routeOf) => {
    const call = open(new NodeCall(request, response))
    keepContext(request, call)
    keepRequestId(request, call.requestId)
    keepRouteOf(request, routeOf)
    response.setHeader('x-request-id', call.requestId)
    if (timeoutMs !== undefined) startDeadline(call, timeoutMs, clock, response)
    const bytesOf = countBytes(request, response)
    response.once('close', () => {
      if (isAccounted(request)) return
      call.route = routeOf()
      logRequest(logger, call, response.statusCode, bytesOf())
    })
    return call
  }
}

function startDeadline(call: ActiveCall, timeoutMs: number, clock: Clock, response: ServerResponse): void {
  call.timeoutMs = timeoutMs
  const timer = clock.schedule(timeoutMs, () => call.abort(deadlineError(timeoutMs)))
  response.once('close', () => timer.cancel())
}

/** Counts the bytes of the body as they are written: a reply may be streamed, and then announces no length. */
function countBytes(request: IncomingMessage, response: ServerResponse): () => number {
  let bytes = 0
  const counting =
    <Write extends (...args: never[]) => unknown>(write: Write) =>
    (...args: Parameters<Write>): ReturnType<Write> => {
      const [chunk, encoding] = args as readonly unknown[]
      if (typeof chunk === 'string') bytes += Buffer.byteLength(chunk, encoding as BufferEncoding)
      else if (chunk instanceof Uint8Array) bytes += chunk.byteLength
      return write(...args) as ReturnType<Write>
    }
  response.write = counting(response.write.bind(response)) as ServerResponse['write']
  response.end = counting(response.end.bind(response)) as ServerResponse['end']
  return () => (request.method === 'HEAD' ? 0 : bytes)
}
