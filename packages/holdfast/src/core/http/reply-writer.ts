import type { Schema, SchemaIssue, SchemaResult } from '../../foundation/schema.ts'
import type { PrepareSchema } from '../validation/prepared-schema.ts'
import { isEmpty, isPageSchema, isTextSchema, type Reply, type ReplyShapes } from './reply.ts'

/** A success as it is sent. Teams bound to another convention replace it with `format`. */
export interface Success {
  readonly data: unknown
  readonly meta?: { readonly page: { readonly nextCursor: string | null } }
}

/** @returns what is serialised as the body */
export type ReplyFormat = (success: Success) => unknown

/** The body of a handler's reply: what its shape lets out, in the envelope. `undefined` for none. */
export type WriteBody = (reply: Reply) => string | undefined | Promise<string | undefined>

export const jsonContentType = 'application/json; charset=utf-8'

/** The `content-type` of each status of a route. */
export function contentTypes(shapes: ReplyShapes): ReadonlyMap<number, string> {
  return new Map(
    Object.entries(shapes).map(([status, shape]) => [
      Number(status),
      isTextSchema(shape) ? shape.textOf : jsonContentType,
    ]),
  )
}

/**
 * Compiles what may leave a route. The result throws, and so makes a defect, for a status or data that was not declared:
 * better no answer than one that nobody vouched for.
 */
export function compileReply(
  route: string,
  shapes: ReplyShapes,
  prepare: PrepareSchema,
  format?: ReplyFormat,
): WriteBody {
  const writers = new Map(
    Object.entries(shapes).map(([status, shape]): [number, WriteBody] => {
      if (isEmpty(shape)) return [Number(status), () => undefined]
      if (isTextSchema(shape)) return [Number(status), (reply) => plainText(route, reply.data)]
      const item = isPageSchema(shape) ? shape.pageOf : shape
      const letOut = compileSchema(`${status} reply of ${route}`, prepare(item, 'drop').schema)
      return [Number(status), isPageSchema(shape) ? pageWriter(letOut, format) : dataWriter(letOut, format)]
    }),
  )
  return (reply) => {
    const write = writers.get(reply?.status)
    if (write === undefined)
      throw new TypeError(`The handler of ${route} gave ${describe(reply)}, which its \`reply\` does not list`)
    return write(reply)
  }
}

function plainText(route: string, data: unknown): string {
  if (typeof data !== 'string')
    throw new TypeError(`The handler of ${route} gave ${typeof data} where text is declared`)
  return data
}

type LetOut = (data: unknown) => unknown

function compileSchema(what: string, schema: Schema): LetOut {
  const vouched = (result: SchemaResult<unknown>): unknown => {
    if (result.issues === undefined) return result.value
    const faults = result.issues.slice(0, 5).map((issue) => `${toPath(issue.path)}: ${issue.message}`)
    throw new TypeError(`The ${what} does not fit its schema: ${faults.join('; ')}`)
  }
  return (data) => {
    const result = schema['~standard'].validate(data)
    return result instanceof Promise ? result.then(vouched) : vouched(result)
  }
}

const dataWriter =
  (letOut: LetOut, format: ReplyFormat | undefined): WriteBody =>
  (reply) =>
    whenReady(letOut(reply.data), (data) => (format ? toJson(format({ data })) : `{"data":${toJson(data)}}`))

function pageWriter(letOut: LetOut, format: ReplyFormat | undefined): WriteBody {
  return (reply) => {
    const { items, nextCursor } = reply.data as { items: readonly unknown[]; nextCursor: string | null }
    const meta = { page: { nextCursor } }
    const write = (data: unknown): string =>
      format ? toJson(format({ data, meta })) : `{"data":${JSON.stringify(data)},"meta":${JSON.stringify(meta)}}`
    const data: unknown[] = []
    try {
      for (const item of items) data.push(letOut(item))
    } catch (thrown) {
      // Those that are still being checked may fail too, and nobody waits for them any more.
      for (const item of data) if (item instanceof Promise) item.catch(() => {})
      throw thrown
    }
    return data.some((item) => item instanceof Promise) ? Promise.all(data).then(write) : write(data)
  }
}

/** @throws {TypeError} for what JSON has no text for, such as `undefined` or a function */
function toJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new TypeError(`A reply of type ${typeof value} can't be written as JSON`)
  return text
}

const whenReady = <Result>(value: unknown, then: (value: unknown) => Result): Result | Promise<Result> =>
  value instanceof Promise ? value.then(then) : then(value)

const toPath = (path: SchemaIssue['path']): string =>
  (path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.') || '(whole)'

const describe = (reply: Reply | undefined): string =>
  typeof reply?.status === 'number' ? `status ${reply.status}` : 'no reply; return ok(...), page(...) or noContent()'
