import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Found, Http } from '../../core/http/http.ts'
import { keptRoute, markAccounted } from './request-notes.ts'
import { toAppError } from './framework-error.ts'
import { NodeCall } from './node-call.ts'
import { writeReply } from './write-reply.ts'

/** Has the pipeline answer a request, and writes what it says. */
export function serve(http: Http, call: NodeCall, found?: Found): void {
  markAccounted(call.request)
  const reply = http.answer(call, found)
  if (reply instanceof Promise) void reply.then((settled) => writeReply(call.request, call.response, settled))
  else writeReply(call.request, call.response, reply)
}

/** Has the pipeline answer for something a framework, or a handler of its own, threw. */
export function serveRefusal(http: Http, request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
  markAccounted(request)
  writeReply(request, response, http.refuse(new NodeCall(request, response), toAppError(thrown), keptRoute(request)))
}
