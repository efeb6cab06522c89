import type {
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
  preParsingHookHandler,
} from 'fastify'
import type { Http } from '../../core/http/http.ts'
import { belowMount } from '../node/mount.ts'
import { NodeCall } from '../node/node-call.ts'
import { serve, serveBeside, serveRefusal } from '../node/serve.ts'
import { ownedByParent } from './owned-by-parent.ts'

export interface RoutesOptions {
  readonly http: Http
}

/**
 * A native Fastify plugin that answers the routes of a table and leaves all else to the app around it.
 *
 * ```ts
 * await app.register(routes, { http, prefix: '/api' })
 * ```
 */
export const routes: FastifyPluginCallback<RoutesOptions> = (app, { http }, done) => {
  const handler = answerFrom(http, app.prefix)
  leaveBodiesUnread(app)
  for (const { method, path } of http.routes) {
    if (method === 'GET') app.route({ method: ['GET', 'HEAD'], url: path, exposeHeadRoute: false, handler })
    else app.route({ method, url: path, preParsing: hideMalformedType, handler })
  }
  done()
}

/**
 * Fastify refuses by itself a content type that it can't read, which is the pipeline's to judge: after whoever calls was
 * let in. So it is shown another one. The pipeline reads what came.
 */
const hideMalformedType: preParsingHookHandler = (request, _reply, payload, next) => {
  const type = request.raw.headers['content-type']
  if (type !== undefined && !readableType.test(type)) request.headers = { 'content-type': 'application/octet-stream' }
  next(null, payload)
}
const readableType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+[ \t]*(;|$)/

/** Has Fastify hand the request on with its body still on the wire. Holds for this plugin's routes only. */
function leaveBodiesUnread(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
}

export interface FallbackOptions {
  readonly http: Http
  /** Where {@link routes} was registered, so that 405 and OPTIONS know the table's paths. Default `''`. */
  readonly mountPath?: string
}

/**
 * A native Fastify plugin for the rest of an app: what nothing answered becomes 404, 405, the answer to OPTIONS or the
 * refusal of a broken path, and what anything threw becomes a problem. Register it at the root, before other plugins.
 */
export const fallback: FastifyPluginCallback<FallbackOptions> = ownedByParent((app, { http, mountPath = '' }, done) => {
  const handler = answerBeside(http, mountPath)
  // A hook and not the handler alone: Fastify reads the body in between, and nobody was let in yet.
  app.addHook('onRequest', (request, reply, next) => {
    if (request.is404) handler(request, reply)
    else next()
  })
  app.setNotFoundHandler(handler)
  app.setErrorHandler((thrown, request, reply) => {
    reply.hijack()
    serveRefusal(http, request.raw, reply.raw, thrown)
  })
  done()
})

type Handler = (request: FastifyRequest, reply: FastifyReply) => void

const answerFrom =
  (http: Http, mountPath: string): Handler =>
  (request, reply) =>
    serve(http, takeOver(request, reply, mountPath))

/** The answers that no route gives. */
export const answerBeside =
  (http: Http, mountPath: string): Handler =>
  (request, reply) =>
    serveBeside(http, takeOver(request, reply, mountPath))

/** Takes a request out of Fastify's hands. */
function takeOver(request: FastifyRequest, reply: FastifyReply, mountPath: string): NodeCall {
  reply.hijack()
  const target = request.raw.url ?? '/'
  return new NodeCall(request.raw, reply.raw, belowMount(mountPath, target), target)
}
