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
  /** Breaks the connections that stand (RST). */
  reset(): void
  stop(): Promise<void>
}

export async function startProxy(targetPort: number): Promise<FaultProxy> {
  const links = new Set<Link>()
  const weather = new Weather()
  const counts = { accepted: 0, bytesToServer: 0, bytesToClient: 0 }
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    counts.accepted += 1
    const link = new Link(client, targetPort, weather, counts)
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

  return {
    port,
    get counts() {
      return { ...counts, open: links.size }
    },
    async pass() {
      weather.set(0)
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
    reset() {
      for (const link of links) link.reset()
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
  readonly #client: Socket
  #server: Socket | undefined

  constructor(
    client: Socket,
    targetPort: number,
    weather: Weather,
    counts: { bytesToServer: number; bytesToClient: number },
  ) {
    this.#client = client
    client.on('error', () => {})
    void weather.clear.then(() => {
      if (client.destroyed) return
      const server = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
      this.#server = server
      server.on('error', () => client.resetAndDestroy())
      forward(client, server, weather, (bytes) => (counts.bytesToServer += bytes))
      forward(server, client, weather, (bytes) => (counts.bytesToClient += bytes))
    })
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#server?.resetAndDestroy()
  }
}

function forward(from: Socket, to: Socket, weather: Weather, count: (bytes: number) => void): void {
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
      count(chunk.length)
      if (to.write(chunk)) return
      from.pause()
      to.once('drain', () => weather.isHeld || from.resume())
    })
  })
  from.on('end', () => later(() => to.end()))
  from.on('close', (hadError) => later(() => (hadError ? to.resetAndDestroy() : to.destroySoon())))
}
