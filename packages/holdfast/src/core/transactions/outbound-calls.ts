import { subscribe } from 'node:diagnostics_channel'
import { scopesHere } from './ambient.ts'

/**
 * What becomes of a call to another service that is made inside a transaction, while it holds a connection and locks:
 * `warn` logs it once per transaction, `refuse` undoes the transaction, `allow` says nothing.
 */
export type OutboundCalls = 'warn' | 'refuse' | 'allow'

let isWatching = false

/**
 * From now on, transactions hear of HTTP calls that are made inside of them, by whatever client stands on `node:http`,
 * `fetch` or undici.
 */
export function watchOutboundCalls(): void {
  if (isWatching) return
  isWatching = true
  subscribe('http.client.request.start', (message) => {
    const { request } = message as { readonly request: { readonly protocol?: string; readonly host?: string } }
    note(`${request.protocol ?? 'http:'}//${request.host ?? 'unknown'}`)
  })
  // The `fetch` of Node, and undici from npm, both say so here.
  subscribe('undici:request:create', (message) => {
    const { request } = message as { readonly request: { readonly origin?: string | URL } }
    note(String(request.origin ?? 'unknown'))
  })
}

function note(target: string): void {
  for (const scope of scopesHere()) scope.noteOutboundCall(target)
}
