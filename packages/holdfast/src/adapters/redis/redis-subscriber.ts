import { setTimeout as delay } from 'node:timers/promises'
import { Redis as Client } from 'ioredis'
import { clientOptions, retryStrategy } from './connection.ts'
import { unavailable, withoutArguments } from './redis-errors.ts'
import type { RedisSettings } from './redis-options.ts'

/** Listens on a connection of its own, which all channels share and which is there while anybody listens. */
export interface Subscriber {
  subscribe(channel: string, onMessage: (message: string) => void, onGap: () => void): Promise<() => Promise<void>>
  close(): Promise<void>
}

interface Listener {
  readonly onMessage: (message: string) => void
  readonly onGap: () => void
  /** Called when it first hears. */
  readonly begin: () => void
  /** The connection it hears on. */
  hearsOn: Client | undefined
  /** True once its `subscribe` has resolved: what was said before it hears again is a gap. */
  mayHaveMissed: boolean
}

// A connection that only listens would never notice that the other side is gone.
const pingEveryMs = 1000

export function createSubscriber(settings: RedisSettings): Subscriber {
  const { nodes, connectTimeoutMs, logger } = settings
  const channels = new Map<string, Set<Listener>>()
  const closing = new AbortController()
  let client: Client | undefined
  let listening: Promise<void> | undefined
  let isDown = false

  /** Connects, listens until the connection is lost, and again, while there is somebody to listen for. */
  async function listen(): Promise<void> {
    for (let attempt = 0; channels.size > 0 && !closing.signal.aborted; attempt += 1) {
      const node = nodes[attempt % nodes.length] ?? nodes[0]
      client = new Client({ ...clientOptions(node, settings), lazyConnect: true, retryStrategy: null })
      const heard = await listenOn(client)
      if (heard) attempt = 0
      await wait(retryStrategy(attempt), closing.signal)
    }
    client = undefined
    listening = undefined
  }

  /** @returns true when it was heard on, for however long */
  async function listenOn(current: Client): Promise<boolean> {
    const lost = new AbortController()
    let reason: unknown
    current.on('error', (error: unknown) => (reason = withoutArguments(error)))
    current.on('message', tell)
    current.once('end', () => lost.abort())
    try {
      await current.connect()
      await hear(current)
      while (!lost.signal.aborted) {
        await wait(pingEveryMs, lost.signal)
        await current.ping()
      }
    } catch (error) {
      reason ??= withoutArguments(error)
    } finally {
      current.disconnect()
    }
    if (channels.size > 0 && !closing.signal.aborted) sayDown(reason)
    return isHeardOn(current)
  }

  async function hear(current: Client): Promise<void> {
    await current.subscribe(...channels.keys())
    sayUp()
    for (const listener of everybody()) begin(listener, current)
  }

  /** Told after the subscription stands, so that nothing falls between the gap and the next message. */
  function begin(listener: Listener, current: Client): void {
    if (listener.hearsOn === current) return
    listener.hearsOn = current
    if (listener.mayHaveMissed) guard(() => listener.onGap())
    listener.mayHaveMissed = true
    listener.begin()
  }

  function tell(channel: string, message: string): void {
    for (const listener of Array.from(channels.get(channel) ?? [])) guard(() => listener.onMessage(message))
  }

  /** One listener's defect is not the next one's. */
  function guard(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      logger.error({ err: error }, 'A listener of a Redis channel failed')
    }
  }

  function everybody(): Listener[] {
    return [...channels.values()].flatMap((listeners) => [...listeners])
  }

  function isHeardOn(current: Client): boolean {
    return everybody().some((listener) => listener.hearsOn === current)
  }

  function sayDown(reason: unknown): void {
    if (isDown) return
    isDown = true
    const words = reason instanceof Error ? reason.message : 'the connection was closed'
    logger.warn({ reason: words }, 'Redis is not heard; trying again until it is')
  }

  function sayUp(): void {
    if (isDown) logger.info({}, 'Redis is heard again')
    isDown = false
  }

  async function join(channel: string, listener: Listener): Promise<void> {
    const current = client
    if (current?.status !== 'ready') return
    try {
      await current.subscribe(channel)
      begin(listener, current)
    } catch {
      // The connection is lost, and the next one hears all channels.
      current.disconnect()
    }
  }

  async function leave(channel: string, listener: Listener): Promise<void> {
    const listeners = channels.get(channel)
    if (listeners?.delete(listener) !== true || listeners.size > 0) return
    channels.delete(channel)
    if (channels.size === 0) client?.disconnect()
    else await client?.unsubscribe(channel).catch(() => {})
  }

  return {
    async subscribe(channel, onMessage, onGap) {
      if (closing.signal.aborted) throw unavailable('The connection to Redis is closed.')
      const begun = new AbortController()
      const listener: Listener = {
        onMessage,
        onGap,
        begin: () => begun.abort(),
        hearsOn: undefined,
        mayHaveMissed: false,
      }
      channels.set(channel, (channels.get(channel) ?? new Set()).add(listener))
      void join(channel, listener)
      listening ??= listen()
      // Redis may be gone for long; whoever starts meanwhile is told by `onGap` when it is there.
      await wait(connectTimeoutMs, AbortSignal.any([begun.signal, closing.signal]))
      listener.mayHaveMissed = true
      return () => leave(channel, listener)
    },
    async close() {
      closing.abort()
      client?.disconnect()
      await listening
    },
  }
}

/** Resolves after `ms`, or when the signal says so. */
async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {})
}
