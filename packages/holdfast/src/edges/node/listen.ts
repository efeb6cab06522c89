import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Drainable } from '../../core/lifecycle/lifecycle.ts'
import { replyInFlight } from './reply-in-flight.ts'

export interface ListenOptions {
  /** 0 for any free port. */
  readonly port: number
  /** Address to listen on. Default `127.0.0.1`; in a container `0.0.0.0`. */
  readonly host?: string
}

/** A server that accepts calls and knows how to end without losing one. Hand it to the lifecycle's `serve`. */
export interface ListeningServer extends Drainable {
  readonly server: Server
  /** `http://127.0.0.1:3000` */
  readonly url: string
}

const sweepMs = 25
// A head that has begun to arrive may still become a request; one that dribbles is not waited for.
const unfinishedHeadMs = 1000
// A connection that said nothing may have its request in the kernel's buffer still.
const silentMs = 100

/**
 * Binds a server and makes it drainable: while it drains each reply ends its connection; when it stops, calls in flight
 * are waited for, and connections that carry none are closed.
 *
 * @throws {Error} when the address can't be had, saying what to do
 */
export async function listen(server: Server, { port, host = '127.0.0.1' }: ListenOptions): Promise<ListeningServer> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await bind(server, port, host)
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    server,
    url: `http://${name}:${address.port}`,
    beginDrain() {
      const closeAfter = (reply: ServerResponse): unknown => reply.setHeader('connection', 'close')
      for (const socket of sockets) {
        const reply = replyInFlight(socket)
        if (reply?.headersSent === false) closeAfter(reply)
      }
      for (const event of ['request', 'checkContinue'] as const) {
        server.prependListener(event, (_request, reply) => closeAfter(reply))
      }
    },
    stop: () => stop(server, sockets),
    destroy() {
      server.closeAllConnections()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function bind(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(explainBind(error, port, host))
    server.once('error', onError)
    server.listen(port, host, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

function explainBind(error: NodeJS.ErrnoException, port: number, host: string): Error {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'something listens there already; stop it or choose another port',
    EACCES: 'this user may not; choose a port above 1023',
    EADDRNOTAVAIL: 'this machine has no such address; choose 127.0.0.1, 0.0.0.0 or one of its own',
  }
  return new Error(`Can't listen on ${host}:${port}: ${reasons[error.code ?? ''] ?? error.message}`, { cause: error })
}

function stop(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    // Node closes the connections that are idle when it stops accepting, and forgets those that become idle later.
    const sweep = (): void => {
      server.closeIdleConnections()
      const elapsedMs = performance.now() - startedAt
      for (const socket of sockets) {
        const patienceMs = socket.bytesRead === 0 ? silentMs : unfinishedHeadMs
        if (elapsedMs >= patienceMs && replyInFlight(socket) === undefined) socket.destroy()
      }
    }
    const timer = setInterval(sweep, sweepMs)
    server.close(() => {
      clearInterval(timer)
      resolve()
    })
    sweep()
  })
}
