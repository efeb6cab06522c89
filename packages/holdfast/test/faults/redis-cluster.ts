import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis as Client } from 'ioredis'
import { startEmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import type { EmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { freePort } from './free-port.ts'

export interface RedisCluster {
  readonly urls: readonly string[]
  /** Its masters, which share the slots in this order; there are no replicas. */
  readonly nodes: readonly EmbeddedRedis[]
  stop(): Promise<void>
}

/** A real Redis Cluster on 127.0.0.1 of `masters` masters. When one is gone the cluster answers for no slot. */
export async function startRedisCluster(masters = 3): Promise<RedisCluster> {
  const password = randomBytes(24).toString('hex')
  const nodes: EmbeddedRedis[] = []
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  try {
    for (let index = 0; index < masters; index += 1) nodes.push(await startNode(password))
    await Promise.all(nodes.map((node, index) => own(node, index, masters)))
    const [first, ...others] = nodes
    if (first === undefined) throw new RangeError(`masters is at least 1; received ${masters}`)
    for (const { port } of others) await ask(first, 'CLUSTER', 'MEET', '127.0.0.1', String(port))
    await Promise.all(nodes.map((node) => untilJoined(node, masters)))
  } catch (error) {
    await stop()
    throw error
  }
  return { urls: nodes.map(({ url }) => url), nodes, stop }
}

async function startNode(password: string): Promise<EmbeddedRedis> {
  const flags = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--masterauth', password]
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const port = await portWithBus()
    try {
      const node = await startEmbeddedRedis({ port, password, flags })
      if (node !== undefined) return node
    } catch (error) {
      if (!/address already in use|could not create server TCP/i.test(String(error))) throw error
    }
  }
  throw new Error('There is no redis-server on PATH, or no free port for it')
}

/** A port whose bus port, 10 000 above it, is free as well. */
async function portWithBus(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (port !== undefined && port < 55_000 && (await freePort(port + 10_000)) !== undefined) return port
  }
}

const slots = 16_384

async function own(node: EmbeddedRedis, index: number, masters: number): Promise<void> {
  const from = Math.round((index * slots) / masters)
  const to = Math.round(((index + 1) * slots) / masters)
  const range = Array.from({ length: to - from }, (_, offset) => String(from + offset))
  await ask(node, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
  await ask(node, 'CLUSTER', 'ADDSLOTS', ...range)
}

async function untilJoined(node: EmbeddedRedis, masters: number): Promise<void> {
  for (const endsAt = performance.now() + 20_000; ; await sleep(50)) {
    const words = String(await ask(node, 'CLUSTER', 'INFO'))
    if (words.includes('cluster_state:ok') && words.includes(`cluster_known_nodes:${masters}\r`)) return
    if (performance.now() > endsAt) throw new Error(`The cluster did not come together: ${words}`)
  }
}

async function ask({ url }: EmbeddedRedis, name: string, ...args: readonly string[]): Promise<unknown> {
  const client = new Client(url, { lazyConnect: true, retryStrategy: null, commandTimeout: 5000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return await client.call(name, [...args])
  } finally {
    client.disconnect()
  }
}
