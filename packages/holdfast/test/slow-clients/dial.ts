import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A client of the worst manners: it holds a socket and decides byte by byte what to do with it. */
export class Dial {
  readonly socket: Socket
  received = ''
  /** Why the connection broke, when it did not simply end. */
  error: string | undefined
  readonly closed: Promise<void>

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code))
    this.closed = new Promise((resolve) => void socket.on('close', () => resolve()))
  }

  /** @param reads - whether it takes what the server sends. Default true */
  static async to(url: string, reads = true): Promise<Dial> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    const dial = new Dial(socket)
    await once(socket, 'connect')
    if (reads) {
      socket.on('data', (chunk) => (dial.received += chunk.toString('latin1')))
      socket.on('end', () => socket.end())
    }
    return dial
  }

  /** Writes in pieces with a pause between, until all is out or nobody listens any more. */
  async drip(text: string, size: number, pauseMs: number): Promise<void> {
    for (let at = 0; at < text.length && this.socket.writable; at += size) {
      this.socket.write(text.slice(at, at + size))
      await pause(pauseMs)
    }
  }

  /** Writes all of it, as fast as the server takes it, and only then looks at what came back. */
  async pour(text: string, chunkBytes = 65_536): Promise<void> {
    this.socket.pause()
    for (let at = 0; at < text.length && this.socket.writable; at += chunkBytes) {
      if (this.socket.write(text.slice(at, at + chunkBytes))) continue
      await Promise.race([once(this.socket, 'drain').catch(() => {}), this.closed])
    }
    this.socket.resume()
  }

  /** Waits for a status line, or the end. */
  async answered(count = 1): Promise<void> {
    const isThere = (): boolean => this.statuses.length >= count
    while (!isThere() && !this.socket.closed)
      await Promise.race([once(this.socket, 'data').catch(() => {}), this.closed])
  }

  /** The statuses of all responses so far. */
  get statuses(): number[] {
    return [...this.received.matchAll(/(?:^|\n|\})HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))
