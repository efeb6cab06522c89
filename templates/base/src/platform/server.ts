import type { Drainable } from 'holdfast/lifecycle'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Listening {
  readonly url: string
  readonly drainable: Drainable
}

/** @throws {Error} saying which setting to change when the address cannot be had */
export async function listen(server: Server, host: string, port: number): Promise<Listening> {
  server.listen(port, host)
  await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'EADDRINUSE' ? 'something else listens there' : cause.message
    throw new Error(`Cannot listen on ${host}:${port}: ${reason}. Set HOST and PORT to a free address.`, { cause })
  })
  const bound = server.address() as AddressInfo
  const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
  return { url: `http://${name}:${bound.port}`, drainable: drainableOf(server) }
}

function drainableOf(server: Server): Drainable {
  let isDraining = false
  server.prependListener('request', (_request, response) => {
    if (isDraining) response.setHeader('connection', 'close')
    // A connection that was busy when the drain began stays open after its answer, and would hold up `close`.
    else response.once('finish', () => isDraining && setImmediate(() => server.closeIdleConnections()))
  })
  return {
    beginDrain: () => {
      isDraining = true
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
    destroy: () => server.closeAllConnections(),
  }
}
