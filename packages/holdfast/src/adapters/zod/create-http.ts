import { compileHttp, type Http, type HttpOptions } from '../../core/http/http.ts'
import type { Route } from '../../core/http/route.ts'
import type { PrepareSchema } from '../../core/validation/prepared-schema.ts'
import { prepareZod } from './prepare-schema.ts'

export interface CreateHttpOptions extends HttpOptions {
  /** How schemas are made ready. Default: Zod 4 compiled and closed; other Standard Schemas as they are. */
  readonly prepareSchema?: PrepareSchema
}

/**
 * Makes a route table ready to be mounted by an edge (`holdfast/express`, `holdfast/fastify`).
 *
 * @throws {TypeError | RangeError} for a route that says too little, two routes of one method and path, a route that is
 * not public without `authenticate`, options out of bounds
 */
export function createHttp(routes: readonly Route[], options: CreateHttpOptions = {}): Http {
  return compileHttp(routes, { prepareSchema: prepareZod, ...options })
}
