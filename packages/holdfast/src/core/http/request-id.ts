import { randomBytes, randomUUID } from 'node:crypto'

const acceptable = /^[A-Za-z0-9._~-]{8,128}$/

/** The id a proxy of ours gave the request when it is well formed, else a new UUID. */
export function chooseRequestId(incoming: string | string[] | undefined, isFromTrustedPeer: boolean): string {
  return isFromTrustedPeer && typeof incoming === 'string' && acceptable.test(incoming) ? incoming : randomUUID()
}

// version, trace id, parent id, flags; later versions may append fields, which are ignored.
const traceparentShape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const zeros = /^0+$/

/** The trace a caller is part of, or `undefined` when it names none that is valid. */
export interface Trace {
  readonly traceId: string
  readonly flags: string
}

/** @see https://www.w3.org/TR/trace-context/#traceparent-header */
export function parseTraceparent(header: string | string[] | undefined): Trace | undefined {
  const match = typeof header === 'string' && header.length <= 128 ? traceparentShape.exec(header) : null
  if (match === null) return undefined
  const [, version, traceId = '', parentId = '', flags = '', more] = match
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (zeros.test(traceId) || zeros.test(parentId)) return undefined
  return { traceId, flags }
}

/** The `traceparent` for outgoing calls: the caller's trace, or a new one, with a parent id of our own. */
export function childTraceparent(trace: Trace | undefined): string {
  return `00-${trace?.traceId ?? randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-${trace?.flags ?? '00'}`
}
