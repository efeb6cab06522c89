import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { assertBound } from '../../core/http/route.ts'
import { type Logger, silentLogger } from '../../foundation/logger.ts'
import { answerUnparsed } from './unparsed.ts'

/** How long and how much a connection may take. Times in milliseconds. */
export interface ServerLimits {
  /** Until a request's headers are whole, 1–600 000. Default 10 000. */
  readonly headersTimeoutMs?: number
  /** Until a whole request has been received, 1–3 600 000. Default 30 000. */
  readonly requestTimeoutMs?: number
  /** An idle connection is kept this long, 1–3 600 000; must exceed the idle time of the balancer before us. Default 72 000. */
  readonly keepAliveTimeoutMs?: number
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
    maxHeaderBytes = 16_384,
  } = limits
  assertBound('createServer', 'headersTimeoutMs', headersTimeoutMs, 600_000)
  assertBound('createServer', 'requestTimeoutMs', requestTimeoutMs, 3_600_000)
  assertBound('createServer', 'keepAliveTimeoutMs', keepAliveTimeoutMs, 3_600_000)
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
  server.on('request', listener)
  // Without this, node:http says "100 Continue" before anybody decided whether the body is wanted.
  server.on('checkContinue', listener)
  server.on('checkExpectation', (_request, response) => answerUnparsed(response.socket, 'expectation', logger))
  server.on('connect', (_request: IncomingMessage, socket: Socket) => answerUnparsed(socket, 'connect', logger))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => answerUnparsed(socket, error.code, logger))
  return server
}
