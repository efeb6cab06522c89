import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { apiHost } from './service.ts'

export interface Sent {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Who sends, as the balancer before the service saw it. */
  readonly from?: string
}

export interface Received {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly cookies: readonly string[]
  readonly text: string
}

export type Send = (sent: Sent) => Promise<Received>

/** Calls the service as the balancer before it does: it took the call over TLS, for the host that everybody knows. */
export const sendTo =
  (url: string): Send =>
  ({ method = 'GET', path, headers = {}, body, from = '198.51.100.7' }) => {
    const { hostname, port } = new URL(url)
    const json = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const framing =
      json === undefined
        ? { 'content-length': '0' }
        : { 'content-type': 'application/json', 'content-length': String(json.byteLength) }
    const forwarded = { host: apiHost, 'x-forwarded-proto': 'https', 'x-forwarded-for': from }
    return new Promise((resolve, reject) => {
      const sending = request({
        hostname,
        port,
        path,
        method,
        agent: false,
        headers: { ...(method === 'GET' ? {} : framing), ...forwarded, ...headers },
      })
      sending.once('error', reject)
      sending.once('response', (response) => {
        const { 'set-cookie': cookies = [], ...rest } = response.headers
        text(response).then(
          (received) =>
            resolve({
              status: response.statusCode ?? 0,
              headers: rest as Received['headers'],
              cookies,
              text: received,
            }),
          reject,
        )
      })
      sending.end(json)
    })
  }

/** What is received from a service that did not start. */
export const nothingReceived: Received = { status: 0, headers: {}, cookies: [], text: '' }

/** A reply in a few words: its status, and the code of its refusal. */
export function inWords({ status, text: body }: Received): string {
  if (status === 0) return 'a service that does not start'
  const code = /"code":"([^"]+)"/.exec(body)?.[1]
  return status < 400 || code === undefined ? String(status) : `${status} ${code}`
}
