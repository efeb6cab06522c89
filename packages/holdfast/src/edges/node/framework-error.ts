import { AppError, type ErrorKind, withoutStack } from '../../foundation/errors.ts'

type Words = readonly [kind: ErrorKind, code: string, detail: string]

const words: Readonly<Record<number, Words>> = {
  400: ['invalid', 'request.invalid', 'The request is not valid.'],
  404: ['not-found', 'request.not_found', 'There is nothing at this path.'],
  413: ['too-large', 'request.too_large', 'The body is larger than this route takes.'],
  414: ['uri-too-long', 'request.uri_too_long', 'The request target is too long.'],
  415: ['unsupported', 'request.unsupported_media_type', 'This route does not read that media type or encoding.'],
}

/**
 * What Express, its body parsers and Fastify refuse by themselves, in our words: their texts, names and codes stay
 * inside. Everything else is returned as it is, and so stays a defect, whatever status it claims.
 */
export function toAppError(thrown: unknown): unknown {
  try {
    const status = frameworkStatus(thrown)
    const found = status === undefined ? undefined : words[status]
    return found === undefined
      ? thrown
      : withoutStack(() => new AppError(found[0], found[1], found[2], { cause: thrown }))
  } catch {
    return thrown
  }
}

function frameworkStatus(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined
  const { code, type, expose, statusCode } = thrown as Error &
    Partial<Record<'code' | 'type' | 'expose' | 'statusCode', unknown>>
  const isFastify = typeof code === 'string' && code.startsWith('FST_ERR_')
  // Body parsers mark what may be shown and give it a type; the router marks a broken encoding with a status.
  const isExpress = (expose === true && typeof type === 'string') || thrown instanceof URIError
  return (isFastify || isExpress) && typeof statusCode === 'number' ? statusCode : undefined
}

/**
 * What frameworks can be told was thrown. They take a missing or falsy reason for "all is well", and Express takes the
 * words `route` and `router` for orders; any of these would go on to the next handler.
 */
export function toReason(thrown: unknown): object {
  if ((typeof thrown === 'object' && thrown !== null) || typeof thrown === 'function') return thrown
  return new TypeError(`A handler threw ${String(thrown)}`, { cause: thrown })
}
