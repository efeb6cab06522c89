import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * The reply that a connection is busy with. Node keeps it on the socket under a private name and offers no other way to
 * ask; tracking it ourselves would cost every request what only the end of a connection needs.
 */
export function replyInFlight(
  socket: Duplex & { readonly _httpMessage?: ServerResponse | null },
): ServerResponse | undefined {
  return socket._httpMessage ?? undefined
}
