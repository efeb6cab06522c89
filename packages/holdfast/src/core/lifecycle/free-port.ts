import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/**
 * A port of 127.0.0.1 that was free a moment ago. Somebody may take it before a server does, so try such a start again.
 */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
