import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/**
 * A port of 127.0.0.1 that was free a moment ago.
 *
 * @param port - the one to try. Default: any
 * @returns nothing when that one is taken
 */
export function freePort(port = 0): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address() as AddressInfo
      server.close(() => resolve(address.port))
    })
  })
}
