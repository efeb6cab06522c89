import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { assertBound } from '../../core/http/route.ts'
import { toOriginForm } from '../../core/http/target.ts'
import { type Logger, silentLogger } from '../../foundation/logger.ts'
import { keepStallTimeout } from './request-notes.ts'
import { answerExpectation, answerUnparsed } from './unparsed.ts'
import { defaultStallTimeoutMs } from './write-reply.ts'

/** How long and how much a connection may take. Times in milliseconds. */
export interface ServerLimits {
  /** Until a request's headers are whole, 1–600 000. Default 10 000. */
  readonly headersTimeoutMs?: number
  /** Until a whole request has been received, 1–3 600 000. Default 30 000. */
  readonly requestTimeoutMs?: number
  /** An idle connection is kept this long, 1–3 600 000; must exceed the idle time of the balancer before us. Default 72 000. */
  readonly keepAliveTimeoutMs?: number
  /** A client that stops reading its reply is let go after this long, 1–3 600 000. Default 30 000. */
  readonly stallTimeoutMs?: number
  /** Size of all headers in bytes, 1–1 048 576. Default 16 384. */
  readonly maxHeaderBytes?: number
  readonly logger?: Logger
}

/**
 * A node:http server that lets no connection dawdle and answers in problem+json also where node:http itself would
 * refuse. Both edges stand on it, so what happens before a framework sees a request is the same.
 *
 * @throws {RangeError} for limits out of bounds
 */
export function createServer(listener: RequestListener, limits: ServerLimits = {}): Server {
  const {
    headersTimeoutMs = 10_000,
    requestTimeoutMs = 30_000,
    keepAliveTimeoutMs = 72_000,
    stallTimeoutMs = defaultStallTimeoutMs,
    maxHeaderBytes = 16_384,
  } = limits
  assertBound('createServer', 'headersTimeoutMs', headersTimeoutMs, 600_000)
  assertBound('createServer', 'requestTimeoutMs', requestTimeoutMs, 3_600_000)
  assertBound('createServer', 'keepAliveTimeoutMs', keepAliveTimeoutMs, 3_600_000)
  assertBound('createServer', 'stallTimeoutMs', stallTimeoutMs, 3_600_000)
  assertBound('createServer', 'maxHeaderBytes', maxHeaderBytes, 1_048_576)
  const server = createHttpServer({
    headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    // Timeouts are only as sharp as the interval they are checked at.
    connectionsCheckingInterval: Math.max(100, Math.min(1000, headersTimeoutMs / 4)),
    maxHeaderSize: maxHeaderBytes,
    // A missing Host is refused by the pipeline, with a body.
    requireHostHeader: false,
    insecureHTTPParser: false,
  })
  const logger = limits.logger ?? silentLogger
  const serve: RequestListener = (request, response) => {
    // Frameworks disagree about targets in absolute form, and Express answers by itself those it can't parse.
    request.url = toOriginForm(request.url ?? '/')
    keepStallTimeout(response, stallTimeoutMs)
    listener(request, response)
  }
  server.on('request', serve)
  // Without this, node:http says "100 Continue" before anybody decided whether the body is wanted.
  server.on('checkContinue', serve)
  server.on('checkExpectation', (_request, response) => answerExpectation(response, logger))
  server.on('connect', (_request: IncomingMessage, socket: Socket) => answerUnparsed(socket, 'connect', logger))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => answerUnparsed(socket, error.code, logger))
  return server
}
