import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, Redis as Client } from 'ioredis'
import type { ClusterOptions, RedisOptions as DriverOptions } from 'ioredis'
import { watchState } from './connection-state.ts'
import { translate, unavailable } from './redis-errors.ts'
import type { Node, RedisSettings } from './redis-options.ts'

export type Argument = string | number | Buffer

/** Sends one command. */
export type Call = (replies: 'text' | 'bytes', name: string, args: Argument[]) => Promise<unknown>

/** The way to Redis that requests take: bounded in time and in number, with no queue for better times. */
export interface Connection {
  /** Runs an exchange of commands, all of it within `commandTimeoutMs`. */
  exchange(commands: (call: Call) => Promise<unknown>): Promise<unknown>
  /** Resolves when the connection stands, and after `connectTimeoutMs` also when it does not. */
  whenReady(signal?: AbortSignal): Promise<void>
  close(): Promise<void>
}

export function connect(settings: RedisSettings): Connection {
  const { commandTimeoutMs, connectTimeoutMs, maxPending } = settings
  const client = settings.isCluster ? clusterClient(settings) : singleClient(settings)
  const state = watchState(client, settings)
  const idle = Promise.withResolvers<void>()
  let pending = 0

  async function exchange(commands: (call: Call) => Promise<unknown>): Promise<unknown> {
    if (state.now() === 'closed') throw unavailable('The connection to Redis is closed.')
    // Those that are given up count until the driver has forgotten them: they are what fills its queue.
    if (pending >= maxPending) throw unavailable(`${maxPending} commands wait for Redis already; try again shortly.`)
    pending += 1
    let isLate = false
    const call: Call = async (replies, name, args) => {
      if (client.status !== 'ready') await standing()
      // What its caller was told has failed is not done afterwards.
      if (isLate) throw unavailable('Redis came back too late.')
      return await send(client, replies, name, args)
    }
    const result = commands(call).finally(settled)
    return await withinTime(result, commandTimeoutMs, () => (isLate = true))
  }

  function settled(): void {
    pending -= 1
    if (pending === 0 && state.now() === 'closed') idle.resolve()
  }

  /** Before anything is known of Redis a command waits, within its time; once Redis is gone it fails at once. */
  async function standing(): Promise<void> {
    if (state.now() === 'new') await state.whenChanged(commandTimeoutMs)
    if (state.now() !== 'up') throw unavailable('Redis is not reachable; try again shortly.', state.lastError())
  }

  return {
    exchange,
    whenReady: (signal) => (client.status === 'ready' ? Promise.resolve() : state.whenUp(connectTimeoutMs, signal)),
    async close() {
      state.close()
      const late = new AbortController()
      const bound = delay(commandTimeoutMs, undefined, { signal: late.signal }).catch(() => {})
      if (pending > 0 && client.status === 'ready') await Promise.race([idle.promise, bound])
      late.abort()
      client.disconnect()
    },
  }
}

async function send(client: Client | Cluster, ...[replies, name, args]: Parameters<Call>): Promise<unknown> {
  try {
    return await (replies === 'bytes' ? client.callBuffer(name, args) : client.call(name, args))
  } catch (error) {
    throw translate(error)
  }
}

function withinTime(result: Promise<unknown>, ms: number, onLate: () => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      onLate()
      reject(unavailable(`Redis did not answer within ${ms} ms; try again shortly.`))
    }
    // When this process was busy for that long, the answer may lie in the socket: it is read before we give up.
    const timer = setTimeout(() => setImmediate(giveUp), ms)
    result.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function singleClient(settings: RedisSettings): Client {
  const [node] = settings.nodes
  return new Client({
    ...clientOptions(node, settings),
    retryStrategy,
    enableOfflineQueue: false,
    // The master behind this address has become a replica: somewhere behind it there is a new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
}

function clusterClient(settings: RedisSettings): Cluster {
  const [first] = settings.nodes
  const {
    host: _,
    port: __,
    ...shared
  } = clientOptions({ ...first, ...(first.tls && { tls: withoutName(first.tls) }) }, settings)
  const options = {
    redisOptions: shared,
    clusterRetryStrategy: retryStrategy,
    enableOfflineQueue: false,
    slotsRefreshTimeout: settings.connectTimeoutMs,
    // A command that comes while the connection to its node is being made tries again a few times within its own time.
    retryDelayOnFailover: Math.ceil(settings.commandTimeoutMs / 8),
    retryDelayOnTryAgain: Math.ceil(settings.commandTimeoutMs / 8),
    // Only time mends this one; the caller is told at once.
    retryDelayOnClusterDown: 0,
    // A certificate names the host, not its address, so the name is what is connected to.
    ...(first.tls && { dnsLookup: sameName }),
  }
  return new Cluster(
    settings.nodes.map(({ host, port }) => ({ host, port })),
    options,
  )
}

const sameName: NonNullable<ClusterOptions['dnsLookup']> = (name, callback) => callback(null, name)

function withoutName({ ca }: { readonly ca?: string }): NonNullable<Node['tls']> {
  return ca === undefined ? {} : { ca }
}

// How the driver's constructors tell reply types from options stumbles over this one.
type ClientOptions = Omit<DriverOptions, 'replyMapping'>

/** What the connections of requests and of subscriptions have in common. */
export function clientOptions(node: Node, settings: RedisSettings): ClientOptions {
  return {
    ...node,
    connectionName: 'holdfast',
    disableClientInfo: true,
    // Its replies are the same, and old servers and proxies speak it as well.
    protocol: 2,
    connectTimeout: settings.connectTimeoutMs,
    // Commands wait and nothing at all comes: the server is frozen or the network gone, and the connection is given up.
    // That also bounds the handshake.
    socketTimeout: settings.connectTimeoutMs,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    maxLoadingRetryTime: 1000,
  }
}

/** Half of each delay is chance, so that the processes of a service do not come back in step. */
export function retryStrategy(attempt: number): number {
  const longest = Math.min(1000, 25 * 2 ** attempt)
  return Math.round(longest / 2 + (Math.random() * longest) / 2)
}
