import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Found, Http } from '../../core/http/http.ts'
import type { WireReply } from '../../core/http/raw-call.ts'
import { keptRoute, markAccounted } from './request-notes.ts'
import { toAppError } from './framework-error.ts'
import { NodeCall } from './node-call.ts'
import { writeReply } from './write-reply.ts'

/** Has the pipeline answer a request, and writes what it says. */
export function serve(http: Http, call: NodeCall, found?: Found): void {
  send(call, http.answer(call, found))
}

/** Has the pipeline answer what nobody else did. */
export function serveBeside(http: Http, call: NodeCall): void {
  send(call, http.answerBeside(call))
}

function send(call: NodeCall, reply: WireReply | Promise<WireReply>): void {
  markAccounted(call.request)
  if (reply instanceof Promise) void reply.then((settled) => write(call, settled))
  else write(call, reply)
}

/** Writes a reply; one that can't be written ends its connection and nothing else. */
function write({ request, response }: NodeCall, reply: WireReply): void {
  try {
    writeReply(request, response, reply)
  } catch {
    response.destroy()
  }
}

/** Has the pipeline answer for something a framework, or a handler of its own, threw. */
export function serveRefusal(http: Http, request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
  markAccounted(request)
  const call = new NodeCall(request, response)
  write(call, http.refuse(call, toAppError(thrown), keptRoute(request)))
}
