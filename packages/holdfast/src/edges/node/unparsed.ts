import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { defaultHeaders } from '../../core/http/header-block.ts'
import { problemContentType, toProblem } from '../../core/http/problem.ts'
import { AppError, type ErrorKind, withoutStack } from '../../foundation/errors.ts'
import type { Logger } from '../../foundation/logger.ts'
import { replyInFlight } from './reply-in-flight.ts'

const lingerMs = 1000

type Refusal = readonly [kind: ErrorKind, code: string, detail: string]

const malformed: Refusal = ['invalid', 'request.malformed', 'This is not a valid HTTP/1.1 request.']
const refusals: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: [
    'headers-too-large',
    'request.headers_too_large',
    'The headers are larger than this server reads.',
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [
    'too-large',
    'request.too_large',
    'The chunk extensions are larger than this server reads.',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['request-timeout', 'request.too_slow', 'The request did not arrive in time.'],
  expectation: ['expectation-failed', 'request.expectation_failed', 'Only 100-continue can be expected here.'],
  connect: ['method-not-allowed', 'request.method_not_allowed', 'This is no proxy.'],
}

/**
 * Answers what never became a request, and ends its connection: there is no telling where the next request would begin.
 *
 * @param reason - code of the parser's error, or our own word for it
 */
export function answerUnparsed(socket: Duplex | null, reason: string | undefined, logger: Logger): void {
  if (socket === null || socket.destroyed) return
  if (!socket.writable || reason === 'ECONNRESET') {
    socket.destroy()
    return
  }
  // A reply that is out, or half out, can't be followed by another on the same connection; let it leave.
  if (replyInFlight(socket)?.headersSent === true) {
    endSoon(socket)
    return
  }
  const [kind, code, detail] = refusals[reason ?? ''] ?? malformed
  const requestId = randomUUID()
  const { problem } = toProblem(
    withoutStack(() => new AppError(kind, code, detail)),
    { requestId },
  )
  logger.info({ status: problem.status, code, reason, requestId }, 'request refused before it was one')
  endSoon(socket, toHttp(problem.status, problem.title, JSON.stringify(problem), requestId))
}

/** Ends a connection so that what was written arrives, and for good when the other side doesn't end it too. */
function endSoon(socket: Duplex, last?: string): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  socket.end(last)
}

function toHttp(status: number, title: string, body: string, requestId: string): string {
  const headers = [
    ...defaultHeaders,
    'content-type',
    problemContentType,
    'content-length',
    String(Buffer.byteLength(body)),
  ]
  headers.push('x-request-id', requestId, 'date', new Date().toUTCString(), 'connection', 'close')
  const lines = [`HTTP/1.1 ${status} ${title}`]
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
