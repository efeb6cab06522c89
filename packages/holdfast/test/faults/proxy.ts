import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A TCP proxy on 127.0.0.1 that does to connections what networks do on a bad day. */
export interface FaultProxy {
  readonly port: number
  readonly counts: {
    /** Connections it took, ever. */
    readonly accepted: number
    /** Connections it has now. */
    readonly open: number
    readonly bytesToServer: number
    readonly bytesToClient: number
  }
  /** Everything goes through again, and so does what a black hole held back. */
  pass(): Promise<void>
  /** Each piece arrives `ms` later, in either direction. */
  delay(ms: number): Promise<void>
  /** Connections are taken, and neither old nor new ones hear anything, not even that the other side hung up. */
  blackhole(): Promise<void>
  /** Nobody listens; connections that stand are left alone. */
  refuse(): Promise<void>
  /**
   * Each connection, old or new, breaks (RST) once the server has sent so many bytes more on it; what is in excess of
   * them is lost. Until {@link pass}.
   */
  cutAfter(bytes: number): void
  /** Breaks the connections that stand (RST). */
  reset(): void
  /** New connections go to another port: the server has come back elsewhere. */
  retarget(port: number): void
  stop(): Promise<void>
}

export async function startProxy(targetPort: number): Promise<FaultProxy> {
  const links = new Set<Link>()
  const weather = new Weather()
  const counts = { accepted: 0, bytesToServer: 0, bytesToClient: 0 }
  const target = { port: targetPort }
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    counts.accepted += 1
    const link = new Link(client, target, weather, counts)
    links.add(link)
    client.once('close', () => links.delete(link))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  async function listen(): Promise<void> {
    if (server.listening) return
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }

  function cutAfter(bytes: number): void {
    weather.bytesUntilCut = bytes
    for (const link of links) link.bytesLeft = bytes
  }

  return {
    port,
    get counts() {
      return { ...counts, open: links.size }
    },
    async pass() {
      weather.set(0)
      cutAfter(Infinity)
      await listen()
    },
    async delay(ms) {
      weather.set(ms)
      await listen()
    },
    async blackhole() {
      weather.set('blackhole')
      await listen()
    },
    async refuse() {
      if (!server.listening) return
      // Its callback waits for connections to end, which those that are held do not.
      server.close()
      await sleep(0)
    },
    cutAfter,
    reset() {
      for (const link of links) link.reset()
    },
    retarget(to) {
      target.port = to
    },
    async stop() {
      server.close()
      for (const link of links) link.reset()
      weather.set(0)
      await sleep(0)
    },
  }
}

/** What all connections are going through. */
class Weather {
  /** What a new connection may bring from the server before it breaks. */
  bytesUntilCut = Infinity
  #state: number | 'blackhole' = 0
  #clear = Promise.withResolvers<void>()
  readonly #watchers = new Set<(isHeld: boolean) => void>()

  constructor() {
    this.#clear.resolve()
  }

  get delayMs(): number {
    return this.#state === 'blackhole' ? 0 : this.#state
  }

  /** Resolves when there is no black hole. */
  get clear(): Promise<void> {
    return this.#clear.promise
  }

  get isHeld(): boolean {
    return this.#state === 'blackhole'
  }

  set(state: number | 'blackhole'): void {
    const wasHeld = this.isHeld
    this.#state = state
    if (this.isHeld && !wasHeld) this.#clear = Promise.withResolvers()
    if (!this.isHeld) this.#clear.resolve()
    if (this.isHeld !== wasHeld) for (const watcher of this.#watchers) watcher(this.isHeld)
  }

  watch(watcher: (isHeld: boolean) => void, until: Socket): void {
    this.#watchers.add(watcher)
    until.once('close', () => this.#watchers.delete(watcher))
  }
}

class Link {
  bytesLeft: number
  readonly #client: Socket
  #server: Socket | undefined

  constructor(
    client: Socket,
    target: { readonly port: number },
    weather: Weather,
    counts: { bytesToServer: number; bytesToClient: number },
  ) {
    this.#client = client
    this.bytesLeft = weather.bytesUntilCut
    client.on('error', () => {})
    const toServer = (chunk: Buffer): Buffer => {
      counts.bytesToServer += chunk.length
      return chunk
    }
    const toClient = (chunk: Buffer): Buffer => {
      const passed = chunk.subarray(0, this.#spend(chunk.length))
      counts.bytesToClient += passed.length
      return passed
    }
    void weather.clear.then(() => {
      if (client.destroyed) return
      const server = connect({ port: target.port, host: '127.0.0.1', allowHalfOpen: true })
      this.#server = server
      server.on('error', () => client.resetAndDestroy())
      forward(client, server, weather, toServer)
      forward(server, client, weather, toClient)
    })
  }

  /** @returns how many of `bytes` get through; with the last of them the connection breaks */
  #spend(bytes: number): number {
    const passed = Math.min(bytes, this.bytesLeft)
    this.bytesLeft -= passed
    if (this.bytesLeft === 0) setImmediate(() => this.reset())
    return passed
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#server?.resetAndDestroy()
  }
}

function forward(from: Socket, to: Socket, weather: Weather, admit: (chunk: Buffer) => Buffer): void {
  let before = Promise.resolve()
  /** In order, each when its time has come and no black hole is in the way. */
  const later = (action: () => void): void => {
    const dueAt = performance.now() + weather.delayMs
    before = before.then(async () => {
      const ms = dueAt - performance.now()
      if (ms > 0) await sleep(ms)
      await weather.clear
      action()
    })
  }
  // What is not read stays with its sender, who after a while can write no more: a black hole has no memory of its own.
  weather.watch((isHeld) => (isHeld ? from.pause() : from.resume()), from)
  if (!weather.isHeld) from.resume()
  from.on('data', (chunk: Buffer) => {
    later(() => {
      if (to.destroyed) return
      if (to.write(admit(chunk))) return
      from.pause()
      to.once('drain', () => weather.isHeld || from.resume())
    })
  })
  from.on('end', () => later(() => to.end()))
  from.on('close', (hadError) => later(() => (hadError ? to.resetAndDestroy() : to.destroySoon())))
}
