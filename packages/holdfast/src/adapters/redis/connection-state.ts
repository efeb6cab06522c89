import { EventEmitter, once } from 'node:events'
import type { Cluster, Redis as Client } from 'ioredis'
import type { Logger } from '../../foundation/logger.ts'
import { withoutArguments } from './redis-errors.ts'
import type { RedisSettings } from './redis-options.ts'

export interface ConnectionState {
  /** `new` until the first connection stands or has failed. */
  now(): 'new' | 'up' | 'down' | 'closed'
  /** Why the connection was lost or did not come to stand, as far as anybody said. */
  lastError(): unknown
  /** Resolves after the next change, or after `ms`. */
  whenChanged(ms: number): Promise<void>
  /** Resolves when it is up, or after `ms`. */
  whenUp(ms: number, signal?: AbortSignal): Promise<void>
  close(): void
}

/** Follows a client that reconnects for ever, and tells the log of each change once. */
export function watchState(client: Client | Cluster, settings: RedisSettings): ConnectionState {
  const { logger } = settings
  const address = settings.nodes.map(({ host, port }) => `${host}:${port}`).join(' ')
  const changes = new EventEmitter().setMaxListeners(0)
  let now: 'new' | 'up' | 'down' | 'closed' = 'new'
  let lastError: unknown
  let downSince = performance.now()

  function change(next: 'up' | 'down' | 'closed'): boolean {
    if (now === next || now === 'closed') return false
    now = next
    changes.emit('change')
    changes.emit(next)
    return true
  }

  const remember = (error: unknown): void => {
    lastError = withoutArguments(nodeErrorOf(error))
  }

  client.on('error', remember)
  client.on('node error', remember)
  client.on('ready', () => {
    const wasDown = now === 'down'
    if (!change('up')) return
    lastError = undefined
    const downMs = Math.round(performance.now() - downSince)
    if (wasDown) logger.info({ address, downMs }, 'Redis is back')
  })
  client.on('close', () => {
    if (!change('down')) return
    downSince = performance.now()
    logger.warn({ address, reason: reasonOf(lastError) }, 'Redis is not reachable; trying again until it is')
  })
  if (client.isCluster) watchNodes(client, () => now === 'up', logger)
  // The driver gives up for good on what it takes for a wrong option. Nothing it was given changes, but the world may.
  client.on('end', () => {
    if (now !== 'closed') setTimeout(() => void client.connect().catch(() => {}), 1000).unref()
  })

  return {
    now: () => now,
    lastError: () => lastError,
    whenChanged: (ms) => happens(changes, 'change', ms),
    whenUp: (ms, signal) => happens(changes, 'up', ms, signal),
    close: () => void change('closed'),
  }
}

/** A cluster goes on without some of its nodes, and commands for their keys fail meanwhile. */
function watchNodes(client: Client | Cluster, isUp: () => boolean, logger: Logger): void {
  const gone = new Set<string>()
  const addressOf = ({ options: { host, port } }: Client): string => `${host}:${port}`

  client.on('-node', (node: Client) => {
    const address = addressOf(node)
    // Nodes that moved away for good stay in it.
    if (!isUp() || gone.has(address) || gone.size >= 1000) return
    gone.add(address)
    logger.warn({ address }, 'A node of the Redis Cluster is gone')
  })
  client.on('+node', (node: Client) => {
    node.once('ready', () => {
      if (gone.delete(addressOf(node))) logger.info({ address: addressOf(node) }, 'A node of the Redis Cluster is back')
    })
  })
}

async function happens(changes: EventEmitter, event: string, ms: number, caller?: AbortSignal): Promise<void> {
  const late = AbortSignal.timeout(ms)
  const signal = caller === undefined ? late : AbortSignal.any([late, caller])
  await once(changes, event, { signal }).catch(() => {})
  caller?.throwIfAborted()
}

/** That no node of a cluster answers says less than what the last of them did. */
function nodeErrorOf(error: unknown): unknown {
  return (error as { readonly lastNodeError?: unknown } | undefined)?.lastNodeError ?? error
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'the connection was closed'
}
