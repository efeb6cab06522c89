import type { FastifyPluginCallback, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { createHttp, type CreateHttpOptions } from '../../adapters/zod/create-http.ts'
import type { ActiveCall } from '../../core/http/active-call.ts'
import type { InputSchemas } from '../../core/http/input.ts'
import { withRequest } from '../../core/context/request-context.ts'
import { toNativeError } from '../node/framework-error.ts'
import { createObserve, type RequestLogOptions } from '../node/observe.ts'
import { serveRefusal } from '../node/serve.ts'
import { type Validated, type ValidateOptions, Validation } from '../node/validation.ts'
import { ownedByParent } from './owned-by-parent.ts'

/** A native plugin that writes one line per request and opens the context that `currentRequest()` reads. */
export const requestLog: FastifyPluginCallback<RequestLogOptions> = ownedByParent((app, options, done) => {
  const observe = createObserve(options)
  const calls = new WeakMap<FastifyRequest, ActiveCall>()
  app.addHook('onRequest', (request, reply, next) => {
    const call = observe(request.raw, reply.raw, () => request.routeOptions.url)
    calls.set(request, call)
    withRequest(call, () => next(), undefined)
  })
  // Reading the body leaves the context, because its events belong to the socket; enter it again before the handler.
  app.addHook('preValidation', (request, _reply, next) => {
    const call = calls.get(request)
    if (call === undefined) next()
    else withRequest(call, () => next(), undefined)
  })
  done()
})

/** A hook that lets valid requests pass, and knows what is vouched for. */
export type ValidateHook<Schemas extends InputSchemas> = preHandlerAsyncHookHandler & {
  /** What the schemas made of this request. */
  of(request: FastifyRequest): Validated<Schemas>
}

/**
 * Checks params, query, body and cookies in `preHandler`. The parsed input is read from the hook itself; `request.query` and
 * its kin stay as they came. With a schema for `cookies` a call that changes something is taken from pages of this service
 * only, and from those that `options.cors` trusts with credentials; see {@link sameOrigin}.
 *
 * ```ts
 * const newOrder = validate({ body: NewOrder })
 * app.post('/orders', { preHandler: newOrder }, (request) => {
 *   const { body } = newOrder.of(request)
 * })
 * ```
 */
export function validate<const Schemas extends InputSchemas>(
  schemas: Schemas,
  options?: ValidateOptions,
): ValidateHook<Schemas> {
  const validation = new Validation(schemas, options)
  const hook: preHandlerAsyncHookHandler = async (request, reply) => {
    await validation.check(request.raw, reply.raw, request.params, request.body).catch((thrown: unknown) => {
      throw toNativeError(thrown)
    })
  }
  return Object.assign(hook, { of: (request: FastifyRequest) => validation.of(request.raw) })
}

/** A native plugin with the one handler of everything thrown, for an app without a route table. Register it at the root. */
export const errorHandler: FastifyPluginCallback<CreateHttpOptions> = ownedByParent((app, options, done) => {
  const http = createHttp([], options)
  app.setErrorHandler((thrown, request, reply) => {
    reply.hijack()
    serveRefusal(http, request.raw, reply.raw, thrown)
  })
  done()
})
