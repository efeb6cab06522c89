import { type Issue, ValidationError, withoutStack } from '../../foundation/errors.ts'
import type { Schema } from '../../foundation/schema.ts'
import { type Parsed, parsePart } from '../validation/parse.ts'
import type { PreparedSchema, PrepareSchema, UnknownKeys } from '../validation/prepared-schema.ts'
import { parseCookies } from './cookies.ts'
import { parseQuery, type QueryValue } from './target.ts'

/** The schemas of what a request may carry. A part without one carries nothing. */
export interface InputSchemas {
  readonly params?: Schema
  readonly query?: Schema
  readonly body?: Schema
  /** Cookies by name. Others than those named are always dropped: a browser sends what it has. */
  readonly cookies?: Schema
}

/** A request's parts before any schema looked at them. */
export interface SentInput {
  readonly params: Readonly<Record<string, string>>
  /** The query string, without its question mark. */
  readonly search: string
  /** Parsed JSON that {@link parseJsonBody} or its like has let pass. */
  readonly body: unknown
  /** The `Cookie` header, where it may be believed. */
  readonly cookie?: string | undefined
}

/** What schemas vouch for. */
export interface VouchedInput {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  readonly cookies: unknown
}

export type ParseInput = (sent: SentInput) => VouchedInput | Promise<VouchedInput>

/**
 * Compiles schemas into one step, which gives what they vouch for or throws a `ValidationError` with the faults of all
 * parts at once. The only place where a schema's refusal becomes a 400.
 */
export function compileInput(
  schemas: InputSchemas,
  unknownKeys: UnknownKeys,
  prepareSchema: PrepareSchema,
): ParseInput {
  const prepare = (schema: Schema | undefined): PreparedSchema | undefined =>
    schema && prepareSchema(schema, unknownKeys)
  const params = prepare(schemas.params)
  const query = prepare(schemas.query)
  const body = prepare(schemas.body)
  const cookies = schemas.cookies && prepareSchema(schemas.cookies, 'drop')

  return (sent) => {
    // First, because it may throw: a promise that was made before would fail with nobody waiting for it.
    const parsedQuery = parseSearch(sent.search, query, unknownKeys === 'refuse')
    const parsedParams = params && parsePart('params', params.schema, sent.params)
    const parsedBody = body && parsePart('body', body.schema, sent.body)
    const parsedCookies = cookies && parsePart('cookies', cookies.schema, parseCookies(sent.cookie))
    if (
      parsedParams instanceof Promise ||
      parsedQuery instanceof Promise ||
      parsedBody instanceof Promise ||
      parsedCookies instanceof Promise
    ) {
      return Promise.all([parsedParams, parsedQuery, parsedBody, parsedCookies]).then((settled) =>
        toVouched(...settled),
      )
    }
    return toVouched(parsedParams, parsedQuery, parsedBody, parsedCookies)
  }
}

function toVouched(
  params: Parsed | undefined,
  query: Parsed | undefined,
  body: Parsed | undefined,
  cookies: Parsed | undefined,
): VouchedInput {
  if (params?.ok === false || query?.ok === false || body?.ok === false || cookies?.ok === false) {
    throw invalidInput([params, query, body, cookies].flatMap((part) => (part?.ok === false ? part.issues : [])))
  }
  return { params: params?.value, query: query?.value, body: body?.value, cookies: cookies?.value }
}

const noLists: ReadonlySet<string> = new Set()

function parseSearch(
  search: string,
  prepared: PreparedSchema | undefined,
  refusesUnknown: boolean,
): Parsed | Promise<Parsed> | undefined {
  if (prepared === undefined && search === '') return undefined
  const query = parseQuery(search, prepared?.listKeys ?? noLists)
  if (prepared !== undefined) return parsePart('query', prepared.schema, query)
  return refusesUnknown ? refuseQuery(query) : undefined
}

function refuseQuery(query: Record<string, QueryValue>): Parsed | undefined {
  const keys = Object.keys(query).slice(0, 20)
  if (keys.length === 0) return undefined
  const message = 'This takes no query; leave it out.'
  return {
    ok: false,
    issues: keys.map((key): Issue => ({ path: ['query', key.slice(0, 200)], code: 'unrecognized_keys', message })),
  }
}

export const invalidInput = (issues: readonly Issue[]): ValidationError =>
  withoutStack(() => new ValidationError('What was sent does not fit; `errors` says where.', { issues }))
