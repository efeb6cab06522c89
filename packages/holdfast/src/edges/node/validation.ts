import type { IncomingMessage, ServerResponse } from 'node:http'
import { prepareZod } from '../../adapters/zod/prepare-schema.ts'
import { compileInput, type InputSchemas, invalidInput, type ParseInput } from '../../core/http/input.ts'
import { splitTarget } from '../../core/http/target.ts'
import { findHostileMember } from '../../core/validation/hostile-json.ts'
import type { UnknownKeys } from '../../core/validation/prepared-schema.ts'
import type { OutputOf } from '../../foundation/schema.ts'
import { SameOriginGuard, type SameOriginOptions } from './guards.ts'

/** What {@link SameOriginOptions} has is asked where `cookies` are read. */
export interface ValidateOptions extends SameOriginOptions {
  /** What becomes of members no schema names. Default `'refuse'`. */
  readonly unknownKeys?: UnknownKeys
  /** Levels that JSON may be nested. Default 32. */
  readonly maxJsonDepth?: number
}

/** What the schemas vouch for, part by part; nothing for a part without a schema. */
export type Validated<Schemas extends InputSchemas> = {
  readonly [Part in 'params' | 'query' | 'body' | 'cookies']: Schemas extends { readonly [Key in Part]: infer S }
    ? OutputOf<S>
    : undefined
}

/** Checks requests that a framework has parsed already, and remembers what is vouched for. */
export class Validation<Schemas extends InputSchemas> {
  readonly #parse: ParseInput
  readonly #takesBody: boolean
  readonly #maxJsonDepth: number
  readonly #sameOrigin: SameOriginGuard | undefined
  readonly #validated = new WeakMap<IncomingMessage, Validated<Schemas>>()

  constructor(schemas: Schemas, options: ValidateOptions = {}) {
    const { unknownKeys = 'refuse', maxJsonDepth = 32, ...originOptions } = options
    this.#parse = compileInput(schemas, unknownKeys, prepareZod)
    this.#takesBody = schemas.body !== undefined
    this.#maxJsonDepth = maxJsonDepth
    this.#sameOrigin = schemas.cookies && new SameOriginGuard(originOptions)
  }

  /**
   * @throws {ValidationError}
   * @throws {ForbiddenError} `request.foreign_origin`, where cookies are read
   */
  async check(request: IncomingMessage, response: ServerResponse, params: unknown, body: unknown): Promise<void> {
    this.#sameOrigin?.check(request, response)
    const issue = this.#takesBody ? findHostileMember(body, this.#maxJsonDepth) : undefined
    if (issue !== undefined) throw invalidInput([issue])
    const { search } = splitTarget(request.url ?? '/')
    const { cookie } = request.headers
    const vouched = await this.#parse({ params: params as Record<string, string>, search, body, cookie })
    this.#validated.set(request, vouched as Validated<Schemas>)
  }

  /** @throws {TypeError} when this request did not pass {@link check} */
  of(request: IncomingMessage): Validated<Schemas> {
    const validated = this.#validated.get(request)
    if (validated === undefined)
      throw new TypeError('This request was not validated; put `validate(...)` before the handler that reads it')
    return validated
  }
}
