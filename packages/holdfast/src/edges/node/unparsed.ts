import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
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
export function answerUnparsed(socket: Duplex, reason: string | undefined, logger: Logger): void {
  // The first refusal counts: what still arrives is broken too, and comes to nothing.
  if (socket.destroyed || refused.has(socket)) return
  refused.add(socket)
  // After CONNECT nobody else listens, and a reset would be uncaught.
  socket.on('error', () => {})
  refuseInTurn(socket, reason, logger)
}

// Destroying one of these because more arrived would reset our last words.
const refused = new WeakSet<Duplex>()

function refuseInTurn(socket: Duplex, reason: string | undefined, logger: Logger): void {
  if (!socket.writable || reason === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const reply = replyInFlight(socket)
  // The replies to whole requests come first; what is broken came after them.
  if (reply?.req.complete === true) {
    reply.once('finish', () => refuseInTurn(socket, reason, logger))
    return
  }
  // A reply that is out before its request is whole can't be followed by another; let it leave.
  if (reply?.headersSent === true) {
    endSoon(socket)
    return
  }
  const { status, title, headers, body } = toRefusal(reason, logger)
  const head = [`HTTP/1.1 ${status} ${title}`]
  for (let at = 0; at < headers.length; at += 2) head.push(`${headers[at]}: ${headers[at + 1]}`)
  endSoon(socket, `${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Answers an expectation that nobody knows, in its turn behind the replies before it. */
export function answerExpectation(response: ServerResponse, logger: Logger): void {
  const { status, headers, body } = toRefusal('expectation', logger)
  response.writeHead(status, headers)
  response.end(body)
}

interface UnparsedRefusal {
  readonly status: number
  readonly title: string
  readonly headers: string[]
  readonly body: string
}

function toRefusal(reason: string | undefined, logger: Logger): UnparsedRefusal {
  const [kind, code, detail] = refusals[reason ?? ''] ?? malformed
  const requestId = randomUUID()
  const error = withoutStack(() => new AppError(kind, code, detail))
  const { problem } = toProblem(error, { requestId })
  const body = JSON.stringify(problem)
  logger.info({ status: problem.status, code, reason, requestId }, 'request refused before it was one')
  const own = [
    ['content-type', problemContentType],
    ['content-length', String(Buffer.byteLength(body))],
    ['x-request-id', requestId],
    ['date', new Date().toUTCString()],
    ['connection', 'close'],
  ]
  return { status: problem.status, title: problem.title, headers: [...defaultHeaders, ...own.flat()], body }
}

/** Ends a connection so that what was written arrives, and for good when the other side doesn't end it too. */
function endSoon(socket: Duplex, last?: string): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  socket.end(last)
}
