import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WireReply } from '../../core/http/raw-call.ts'
import { stallTimeoutOf } from './request-notes.ts'

// What is left of a body up to this size is read and thrown away, so that the connection can go on.
const drainableBytes = 65_536
// Beyond it the connection ends. Closing while the client still sends would reset it, and it might never read our
// answer (RFC 9112, section 9.6), so we listen on for as long and as much as this.
const lingerMs = 2000
const lingerBytes = 16_777_216
// Whoever expects "100 Continue" and sends its body all the same has begun to by then.
const expectMs = 100
export const defaultStallTimeoutMs = 30_000

/** Writes a reply with one `writeHead`. Does nothing when the client has gone; ends a reply somebody else had begun. */
export function writeReply(request: IncomingMessage, response: ServerResponse, reply: WireReply): void {
  if (response.headersSent) {
    if (!response.writableEnded) response.destroy()
    return
  }
  if (response.destroyed) return
  const body = request.method === 'HEAD' ? undefined : reply.body
  if (!reply.closes && !leavesBodyUnread(request)) {
    response.writeHead(reply.status, reply.headers)
    if (body === undefined) response.end()
    else response.end(body, isAscii(body) ? 'latin1' : 'utf8')
    destroyWhenStalled(response)
    return
  }
  reply.headers.push('connection', 'close')
  response.writeHead(reply.status, reply.headers)
  endAfterLingering(request, response, body)
}

/** ASCII is the same in both encodings, and as latin1 it leaves as it lies in memory. */
const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length

/** A client that reads nothing of its reply is not waited for without end; node:http itself would. */
function destroyWhenStalled(response: ServerResponse): void {
  const { socket } = response
  if (socket === null || socket.writableLength === 0) return
  response.setTimeout(stallTimeoutOf(response) ?? defaultStallTimeoutMs, () => socket.destroy())
}

/** Whether more of the body may come than is worth reading for nothing. */
function leavesBodyUnread(request: IncomingMessage): boolean {
  const { headers } = request
  const length = Number(headers['content-length'] ?? 0)
  if (length === 0 && headers['transfer-encoding'] === undefined) return false
  if (request.complete) return false
  return headers['transfer-encoding'] !== undefined || headers.expect !== undefined || length > drainableBytes
}

function endAfterLingering(request: IncomingMessage, response: ServerResponse, body: string | undefined): void {
  if (request.complete) {
    response.end(body)
    return
  }
  if (body === undefined) response.flushHeaders()
  else response.write(body)
  let heard = 0
  // A client that waits for "100 Continue" in vain sends nothing more; one that did not wait is heard out.
  const waits = request.headers.expect !== undefined && !request.readableDidRead
  let timer = setTimeout(end, waits ? expectMs : lingerMs)
  function end(): void {
    clearTimeout(timer)
    request.off('data', listen)
    response.end()
  }
  function listen(chunk: Buffer): void {
    if (heard === 0 && waits) {
      clearTimeout(timer)
      timer = setTimeout(end, lingerMs)
    }
    heard += chunk.byteLength
    if (heard > lingerBytes) end()
  }
  request.on('error', () => {})
  request.on('data', listen).once('end', end).once('close', end).resume()
}
