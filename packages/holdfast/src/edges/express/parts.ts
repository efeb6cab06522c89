import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { createHttp, type CreateHttpOptions } from '../../adapters/zod/create-http.ts'
import type { InputSchemas } from '../../core/http/input.ts'
import { withRequest } from '../../core/context/request-context.ts'
import { toNativeError } from '../node/framework-error.ts'
import { createObserve, type RequestLogOptions } from '../node/observe.ts'
import { serveRefusal } from '../node/serve.ts'
import { type Validated, type ValidateOptions, Validation } from '../node/validation.ts'

/**
 * Wraps a handler so that whatever it throws or rejects with, also nothing at all, reaches the error handler and never
 * the next route.
 */
export function asyncHandler(handler: (request: Request, response: Response) => unknown): RequestHandler {
  return async (request, response, next) => {
    try {
      await handler(request, response)
    } catch (thrown) {
      next(toNativeError(thrown))
    }
  }
}

/** Writes one line per request and opens the context that `currentRequest()` reads. Mount it after any body parser. */
export function requestLog(options: RequestLogOptions): RequestHandler {
  const observe = createObserve(options)
  return (request, response, next) => {
    const call = observe(request, response, () => request.route && `${request.baseUrl}${String(request.route.path)}`)
    withRequest(call, () => next(), undefined)
  }
}

/** A middleware that lets valid requests pass, and knows what is vouched for. */
export type ValidateHandler<Schemas extends InputSchemas> = RequestHandler & {
  /** What the schemas made of this request. */
  of(request: Request): Validated<Schemas>
}

/**
 * Checks params, query, body and cookies. The parsed input is read from the middleware itself; `request.query` and its kin
 * stay as they came. A body must have been parsed before. With a schema for `cookies` a call that changes something is
 * taken from pages of this service only, and from those that `options.cors` trusts with credentials; see
 * {@link sameOrigin}.
 *
 * ```ts
 * const newOrder = validate({ body: NewOrder })
 * app.post('/orders', express.json(), newOrder, (request, response) => {
 *   const { body } = newOrder.of(request)
 * })
 * ```
 */
export function validate<const Schemas extends InputSchemas>(
  schemas: Schemas,
  options?: ValidateOptions,
): ValidateHandler<Schemas> {
  const validation = new Validation(schemas, options)
  const handler: RequestHandler = async (request, response, next) => {
    try {
      await validation.check(request, response, request.params, request.body)
    } catch (thrown) {
      next(toNativeError(thrown))
      return
    }
    next()
  }
  return Object.assign(handler, { of: (request: Request) => validation.of(request) })
}

/** The one handler of everything thrown, for an app without a route table. Mount it last. */
export function errorHandler(options: CreateHttpOptions = {}): ErrorRequestHandler {
  const http = createHttp([], options)
  return (thrown: unknown, request, response, _next) => serveRefusal(http, request, response, thrown)
}
