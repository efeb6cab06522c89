import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { startEmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import type { EmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { createRedis } from '../../src/adapters/redis/redis.ts'
import type { Redis, RedisOptions } from '../../src/adapters/redis/redis.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import type { RecordingLogger } from '../../src/testing/recording-logger.ts'
import { certificate } from './certificate.ts'
import { freePort } from './free-port.ts'
import { freeze, kill, thaw } from './processes.ts'
import { startProxy } from './proxy.ts'
import type { FaultProxy } from './proxy.ts'
import { startRedisCluster } from './redis-cluster.ts'
import type { RedisCluster } from './redis-cluster.ts'

const cleanUps: (() => unknown)[] = []
const patience = { timeout: 15_000, interval: 10 }

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

interface Parts {
  readonly server: EmbeddedRedis
  readonly proxy: FaultProxy
  readonly redis: Redis
  readonly logger: RecordingLogger
}

function open(options: RedisOptions): { redis: Redis; logger: RecordingLogger } {
  const logger = createRecordingLogger()
  const redis = createRedis({ logger, commandTimeoutMs: 2000, connectTimeoutMs: 300, ...options })
  cleanUps.push(() => redis.close())
  return { redis, logger }
}

async function opened(options: Partial<RedisOptions> = {}): Promise<Parts> {
  const server = await startEmbeddedRedis()
  if (server === undefined) throw new Error('No redis-server on PATH')
  cleanUps.push(() => server.stop())
  const proxy = await startProxy(server.port)
  cleanUps.push(() => proxy.stop())
  const parts = open({ url: server.url.replace(String(server.port), String(proxy.port)), ...options })
  await parts.redis.check()
  return { server, proxy, ...parts }
}

const increment = { lua: `return redis.call('INCRBY', KEYS[1], ARGV[1])`, numberOfKeys: 1 }
const both = { lua: `return {redis.call('INCR', KEYS[1]), redis.call('INCR', KEYS[2])}`, numberOfKeys: 2 }

function failure(work: Promise<unknown>): Promise<Error & { code?: string; cause?: Error }> {
  return work.then(
    () => {
      throw new Error('It did not fail')
    },
    (error: unknown) => error as never,
  )
}

const down = 'warn: Redis is not reachable; trying again until it is'
const messagesOf = ({ lines }: RecordingLogger): string[] => lines.map(({ level, message }) => `${level}: ${message}`)
const isDown = (logger: RecordingLogger): Promise<void> =>
  vi.waitFor(() => expect(messagesOf(logger)).toContain(down), patience)

describe('given a network between us and Redis', () => {
  test('when it swallows everything, commands fail in their time, then at once, and it heals', async () => {
    const { proxy, redis, logger } = await opened({ commandTimeoutMs: 100 })
    await proxy.blackhole()
    const first = await failure(redis.run(increment, ['a'], [1]))
    const { accepted } = proxy.counts
    await isDown(logger)
    const later = await failure(redis.run(increment, ['a'], [1]))
    // It is taken by a connection that hears nothing, which is given up, and so is the next one.
    await vi.waitFor(() => expect(proxy.counts.accepted).toBeGreaterThan(accepted + 1), patience)
    await proxy.pass()

    expect(first).toMatchObject({ code: 'redis.unavailable', message: expect.stringContaining('within 100 ms') })
    expect(later).toMatchObject({ code: 'redis.unavailable', message: expect.stringContaining('not reachable') })
    await vi.waitFor(() => redis.check(), patience)
    expect(messagesOf(logger)).toEqual([down, 'info: Redis is back'])
  })

  test('when it refuses or resets connections, the next attempt that passes heals it', async () => {
    const { proxy, redis, logger } = await opened()
    await proxy.refuse()
    proxy.reset()
    await isDown(logger)

    expect(await failure(redis.check())).toMatchObject({
      code: 'redis.unavailable',
      cause: { message: expect.stringContaining('ECONNREFUSED') },
    })
    await proxy.pass()
    await vi.waitFor(() => redis.check(), patience)
    expect(await redis.run(increment, ['a'], [1])).toBe(1)
  })

  test('when it is slower than a command may take, commands fail but the connection stays', async () => {
    const { proxy, redis, logger } = await opened({ commandTimeoutMs: 100, connectTimeoutMs: 5000 })
    await proxy.delay(80)
    const errors = await Promise.all(Array.from({ length: 20 }, () => failure(redis.run(increment, ['a'], [1]))))
    await proxy.delay(10)

    expect(errors.every(({ code }) => code === 'redis.unavailable')).toBe(true)
    await vi.waitFor(() => redis.check(), patience)
    expect(messagesOf(logger)).toEqual([])
    expect(proxy.counts).toMatchObject({ accepted: 1, open: 1 })
  })

  test('when the answer that a script is not known comes too late, the script is not sent', async () => {
    const { proxy, redis } = await opened({ commandTimeoutMs: 100 })
    await proxy.delay(70)
    const error = await failure(redis.run(increment, ['a'], [1]))
    await proxy.pass()
    await vi.waitFor(() => redis.check(), patience)

    expect(error).toMatchObject({ message: expect.stringContaining('within 100 ms') })
    await expect(redis.command('GET', 'a')).resolves.toBeNull()
  })

  test('when it dies under a subscription that hears nothing, that is noticed and the gap told', async () => {
    const { proxy, redis } = await opened()
    const heard: string[] = []
    await redis.subscribe(
      'a',
      (message) => heard.push(message),
      () => heard.push('gap'),
    )
    const { accepted } = proxy.counts
    await proxy.blackhole()
    await vi.waitFor(() => expect(proxy.counts.accepted).toBeGreaterThan(accepted + 2), patience)
    await proxy.pass()

    await vi.waitFor(() => expect(heard).toEqual(['gap']), patience)
    await vi.waitFor(() => redis.check(), patience)
    await redis.publish('a', 'after')
    await vi.waitFor(() => expect(heard).toEqual(['gap', 'after']), patience)
  })
})

describe('given a Redis Cluster', () => {
  async function cluster(): Promise<RedisCluster & { redis: Redis; logger: RecordingLogger }> {
    const servers = await startRedisCluster()
    cleanUps.push(() => servers.stop())
    const parts = open({ url: servers.urls, keyPrefix: 'shop:' })
    await parts.redis.check()
    return { ...servers, ...parts }
  }

  test('when keys share a tag, a script takes them, wherever they lie; without, it is a defect', async () => {
    const { redis, nodes } = await cluster()
    const tags = Array.from({ length: 50 }, (_, index) => `{user-${index}}`)

    for (const tag of tags) expect(await redis.run(both, [`${tag}:a`, `${tag}:b`], [])).toEqual([1, 1])
    const direct = await Promise.all(nodes.map(({ url }) => open({ url }).redis.command('DBSIZE').catch(String)))
    expect(direct.map(Number).reduce((sum, size) => sum + size)).toBe(100)
    expect(direct.every((size) => Number(size) > 0)).toBe(true)
    const error = await failure(redis.run(both, ['a', 'b'], []))
    expect(error.message).toMatch(/^CROSSSLOT/)
    expect(error.code).toBeUndefined()
  })

  test('when scripts are forgotten on all nodes, they are sent anew', async () => {
    const { redis, nodes } = await cluster()
    await redis.run(increment, ['a'], [1])
    for (const { url } of nodes) {
      const { redis: one } = open({ url })
      await one.check()
      await one.command('SCRIPT', 'FLUSH')
    }

    expect(await redis.run(increment, ['a'], [1])).toBe(2)
  })

  test('when many commands come before the nodes are connected, they are done within the usual time', async () => {
    const { urls } = await cluster()
    // On a machine that is busy elsewhere the first attempts may take longer.
    await vi.waitFor(async () => {
      const { redis } = open({ url: urls, commandTimeoutMs: 100 })
      await redis.check()
      const many = Array.from({ length: 300 }, (_, index) => redis.run(increment, [`key-${index}`], [1]))
      expect(new Set(codesOf(await Promise.allSettled(many)))).toEqual(new Set(['done']))
    }, patience)
  })

  test('when somebody publishes through any node, the subscriber hears it', async () => {
    const { redis, nodes } = await cluster()
    const heard: string[] = []
    await redis.subscribe(
      'a',
      (message) => heard.push(message),
      () => {},
    )
    for (const [index, { url }] of nodes.entries()) {
      const { redis: one } = open({ url, keyPrefix: 'shop:' })
      await one.check()
      await one.publish('a', String(index))
    }

    await vi.waitFor(() => expect(heard.toSorted()).toEqual(['0', '1', '2']), patience)
  })

  const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`)
  const incrementAll = (redis: Redis): Promise<PromiseSettledResult<unknown>[]> =>
    Promise.allSettled(keys.map((key) => redis.run(increment, [key], [1])))
  const codesOf = (outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] =>
    outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as { code?: string }).code : 'done'))

  test('when a node freezes, its keys alone are unavailable until the cluster notices, and it heals', async () => {
    const { redis, nodes, logger } = await cluster()
    const [node] = nodes
    if (node === undefined) throw new Error('No node')
    expect(new Set(codesOf(await incrementAll(redis)))).toEqual(new Set(['done']))
    await freeze(node.pid)
    const codes = codesOf(await incrementAll(redis))

    expect(new Set(codes)).toEqual(new Set(['done', 'redis.unavailable']))
    await vi.waitFor(() => expect(messagesOf(logger)).toEqual(['warn: A node of the Redis Cluster is gone']), patience)
    thaw(node.pid)
    await vi.waitFor(
      async () => expect(new Set(codesOf(await incrementAll(redis)))).toEqual(new Set(['done'])),
      patience,
    )
    expect(messagesOf(logger).at(-1)).toBe('info: A node of the Redis Cluster is back')
  })

  test('when a node dies, the cluster says that it is down, and so do we, at once', async () => {
    const { redis, nodes } = await cluster()
    const [node] = nodes
    if (node === undefined) throw new Error('No node')
    await kill(node.pid)

    await vi.waitFor(async () => {
      const error = await failure(redis.run(increment, ['a'], [1]))
      expect(error).toMatchObject({
        code: 'redis.unavailable',
        cause: { message: expect.stringMatching(/^CLUSTERDOWN/) },
      })
    }, patience)
  })

  test('when the password is wrong, the reason is told without it', async () => {
    const { urls } = await cluster()
    const { redis, logger } = open({ url: urls.map((url) => url.replace(/:[^:@]+@/, ':hunter2@')) })
    const error = await failure(redis.check())

    expect(error.cause?.message).toContain('WRONGPASS')
    expect(inspect([logger.lines, error], { depth: 10 })).not.toContain('hunter2')
  })
})

describe('given a Redis behind TLS', () => {
  async function startTls(): Promise<EmbeddedRedis & { tlsUrl: string }> {
    const folder = mkdtempSync(join(tmpdir(), 'redis-tls-test-'))
    cleanUps.push(() => rmSync(folder, { recursive: true }))
    for (const [name, text] of Object.entries(certificate)) writeFileSync(join(folder, name), text)
    const tlsPort = await freePort()
    const files = [
      '--tls-cert-file',
      join(folder, 'cert'),
      '--tls-key-file',
      join(folder, 'key'),
      '--tls-auth-clients',
      'no',
    ]
    const server = await startEmbeddedRedis({ flags: ['--tls-port', String(tlsPort), ...files] })
    if (server === undefined) throw new Error('No redis-server on PATH')
    cleanUps.push(() => server.stop())
    const tlsUrl = server.url.replace('redis:', 'rediss:').replace(`127.0.0.1:${server.port}`, `localhost:${tlsPort}`)
    return { ...server, tlsUrl }
  }

  test('when its certificate is trusted, commands and subscriptions work', async () => {
    const { tlsUrl } = await startTls()
    const { redis } = open({ url: tlsUrl, ca: certificate.cert })
    const heard: string[] = []
    await redis.check()
    await redis.subscribe(
      'a',
      (message) => heard.push(message),
      () => {},
    )
    await redis.publish('a', 'one')

    expect(await redis.run(increment, ['a'], [1])).toBe(1)
    await vi.waitFor(() => expect(heard).toEqual(['one']), patience)
  })

  test('when its certificate is not trusted, or is no certificate for it, it is not talked to', async () => {
    const { url, tlsUrl } = await startTls()
    const untrusted = await failure(open({ url: tlsUrl }).redis.check())
    const noTls = await failure(open({ url: url.replace('redis:', 'rediss:') }).redis.check())

    expect(untrusted.cause?.message).toMatch(/self-signed certificate/)
    expect(noTls.code).toBe('redis.unavailable')
  })
})

describe('given the proxy', () => {
  test('when it held connections back, nothing is lost', async () => {
    const { proxy, server } = await opened()
    const password = new URL(server.url).password
    const socket = connect(proxy.port, '127.0.0.1')
    cleanUps.push(() => socket.destroy())
    let reply = ''
    socket.setEncoding('utf8').on('data', (text: string) => (reply += text))
    socket.write(`AUTH ${password}\r\n`)
    await vi.waitFor(() => expect(reply).toBe('+OK\r\n'), patience)
    await proxy.blackhole()
    socket.write('PING\r\nPING\r\n')
    await proxy.delay(20)

    await vi.waitFor(() => expect(reply).toBe('+OK\r\n+PONG\r\n+PONG\r\n'), patience)
  })
})
