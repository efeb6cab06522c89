import type { FastifyServerOptions } from 'fastify'
import type { Http } from '../../core/http/http.ts'
import { createServer, type ServerLimits } from '../node/server.ts'
import { answerBeside } from './routes.ts'

/**
 * What `Fastify(...)` has to be told at birth, because no plugin can change it later: our server below it, exact paths,
 * and our answer to a path it can't decode.
 *
 * ```ts
 * const app = Fastify(fastifyOptions(http))
 * ```
 */
export function fastifyOptions(http: Http, limits: ServerLimits = {}): FastifyServerOptions {
  return {
    logger: false,
    // Draining is the server's business: until it stops accepting, every request is served.
    return503OnClosing: false,
    routerOptions: {
      caseSensitive: true,
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      maxParamLength: 65_536,
    },
    frameworkErrors: (_error, request, reply) => answerBeside(http, '')(request, reply),
    // The server below answers these itself.
    clientErrorHandler: () => {},
    serverFactory: (listener) => createServer(listener, limits),
  }
}
