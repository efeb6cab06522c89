import type { ErrorRequestHandler, RequestHandler } from 'express'
import type { Http } from '../../core/http/http.ts'
import { belowMount } from '../node/mount.ts'
import { NodeCall } from '../node/node-call.ts'
import { serve, serveBeside, serveRefusal } from '../node/serve.ts'

/**
 * A native Express middleware that answers the routes of a table and leaves all else to the app around it.
 * Mount it before any body parser: the pipeline reads bodies itself, after the caller was let in. Below a mount path,
 * enable `case sensitive routing`: Express takes mount paths in any letter case otherwise.
 *
 * ```ts
 * app.use('/api', routes(http))
 * ```
 */
export function routes(http: Http): RequestHandler {
  return (request, response, next) => {
    const found = http.find(request.method, request.url)
    if (found === undefined) next()
    else serve(http, new NodeCall(request, response, request.url, request.originalUrl), found)
  }
}

export interface FallbackOptions {
  /** Where {@link routes} was mounted, so that 405 and OPTIONS know the table's paths. Default `''`. */
  readonly mountPath?: string
}

/**
 * The last two handlers of an app: what nothing answered becomes 404, 405, the answer to OPTIONS or the refusal of a
 * broken path, and what anything threw becomes a problem. Mount them after everything else.
 */
export function fallback(http: Http, options: FallbackOptions = {}): [RequestHandler, ErrorRequestHandler] {
  const { mountPath = '' } = options
  return [
    (request, response) => {
      const target = request.originalUrl
      serveBeside(http, new NodeCall(request, response, belowMount(mountPath, target), target))
    },
    // Express knows an error handler by its four parameters.
    (thrown: unknown, request, response, _next) => serveRefusal(http, request, response, thrown),
  ]
}
