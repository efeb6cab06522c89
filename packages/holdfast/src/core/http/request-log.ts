import type { Logger } from '../../foundation/logger.ts'
import { type ActiveCall, clientGone } from './active-call.ts'

/** One line per request: an allow-list of fields, never a query string, a header or a body. */
export function logRequest(logger: Logger, call: ActiveCall, status: number, bytes: number, code?: string): void {
  const seen = call.raw.isGone ? clientGone : status
  const fields: Record<string, unknown> = {
    method: call.raw.method,
    route: call.route,
    status: seen,
    ms: Math.round(call.elapsedMs() * 100) / 100,
    bytes,
    requestId: call.requestId,
    client: call.client.address,
  }
  // Beside the routes there is no pattern to name, and the path tells a broken link from a scan.
  if (call.route === undefined) fields['path'] = call.instance
  if (call.principal !== undefined) fields['principal'] = call.principal.id
  if (call.principal?.keyId !== undefined) fields['key'] = call.principal.keyId
  if (code !== undefined) fields['code'] = code
  if (call.raw.headers['traceparent'] !== undefined) fields['traceId'] = call.trace?.traceId
  if (seen >= 500) logger.warn(fields, 'request')
  else logger.info(fields, 'request')
}
