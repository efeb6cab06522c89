import type { ActiveCall } from './active-call.ts'
import { keepFromCaches, keepsPrivate, tellsCaches, withReplyHeaders } from './header-block.ts'
import type { PipelineSettings } from './pipeline-settings.ts'
import type { WireReply } from './raw-call.ts'
import type { Reply, ReplyHeaders } from './reply.ts'
import { logRequest } from './request-log.ts'

/** A reply whose body is let out by its schema. */
export interface Written {
  readonly status: number
  readonly type: string
  readonly headers: Reply['headers']
  readonly body: string | undefined
}

/** What an edge writes, and the line in the log. */
export function toWire(call: ActiveCall, reply: Written, settings: PipelineSettings): WireReply {
  const { body } = reply
  const block = (call.blocks ?? settings.blocks).of(call)
  const headers = reply.headers === undefined ? block.slice() : withReplyHeaders(block, reply.headers)
  if (reply.headers !== undefined && setsCookie(reply.headers)) keepFromCaches(headers)
  const bytes = body === undefined ? 0 : Buffer.byteLength(body)
  if (body !== undefined) headers.push('content-type', reply.type, 'content-length', String(bytes))
  // RFC 9110, section 8.6: a 204 has no length; without one anything else would be sent in chunks.
  else if (reply.status !== 204) headers.push('content-length', '0')
  pushCallHeaders(headers, call)
  call.settleLimits(reply.status)
  logRequest(settings.logger, call, reply.status, bytes)
  return { status: reply.status, headers, body, closes: false }
}

/** What only this call's reply carries. */
export function pushCallHeaders(headers: string[], call: ActiveCall): void {
  headers.push('x-request-id', call.requestId)
  if (call.limitPolicy === undefined || call.limitState === undefined) return
  headers.push('ratelimit-policy', call.limitPolicy, 'ratelimit', call.limitState)
}

/** @throws {TypeError} for headers that would let others read what was made for one visitor. A defect. */
export function assertPrivate(name: string, headers: ReplyHeaders): void {
  for (const key in headers) {
    if (!tellsCaches(key.toLowerCase()) || keepsPrivate(String(headers[key]))) continue
    throw new TypeError(
      `A reply of ${name} is made for one visitor, so it may not be cached for others; say private or no-store in ${key}`,
    )
  }
}

export function setsCookie(headers: ReplyHeaders): boolean {
  for (const key in headers) if (key.length === 10 && key.toLowerCase() === 'set-cookie') return true
  return false
}
