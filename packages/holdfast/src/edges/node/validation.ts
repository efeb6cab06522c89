import type { IncomingMessage } from 'node:http'
import { prepareZod } from '../../adapters/zod/prepare-schema.ts'
import { compileInput, type InputSchemas, invalidInput, type ParseInput } from '../../core/http/input.ts'
import { splitTarget } from '../../core/http/target.ts'
import { findHostileMember } from '../../core/validation/hostile-json.ts'
import type { UnknownKeys } from '../../core/validation/prepared-schema.ts'
import type { OutputOf } from '../../foundation/schema.ts'

export interface ValidateOptions {
  /** What becomes of members no schema names. Default `'refuse'`. */
  readonly unknownKeys?: UnknownKeys
  /** Levels that JSON may be nested. Default 32. */
  readonly maxJsonDepth?: number
}

/** What the schemas vouch for, part by part; nothing for a part without a schema. */
export type Validated<Schemas extends InputSchemas> = {
  readonly [Part in 'params' | 'query' | 'body']: Schemas extends { readonly [Key in Part]: infer S }
    ? OutputOf<S>
    : undefined
}

/** Checks requests that a framework has parsed already, and remembers what is vouched for. */
export class Validation<Schemas extends InputSchemas> {
  readonly #parse: ParseInput
  readonly #takesBody: boolean
  readonly #maxJsonDepth: number
  readonly #validated = new WeakMap<IncomingMessage, Validated<Schemas>>()

  constructor(schemas: Schemas, { unknownKeys = 'refuse', maxJsonDepth = 32 }: ValidateOptions = {}) {
    this.#parse = compileInput(schemas, unknownKeys, prepareZod)
    this.#takesBody = schemas.body !== undefined
    this.#maxJsonDepth = maxJsonDepth
  }

  /** @throws {ValidationError} */
  async check(request: IncomingMessage, params: unknown, body: unknown): Promise<void> {
    const issue = this.#takesBody ? findHostileMember(body, this.#maxJsonDepth) : undefined
    if (issue !== undefined) throw invalidInput([issue])
    const { search } = splitTarget(request.url ?? '/')
    const vouched = await this.#parse({ params: params as Record<string, string>, search, body })
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
