import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startRedisCluster } from '../faults/redis-cluster.ts'
import { startEmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { createRedisLimitStore } from '../../src/adapters/redis/limit-store.ts'
import { createRedis, type Redis } from '../../src/adapters/redis/redis.ts'
import { createMemoryLimitStore } from '../../src/core/rate-limit/memory-limit-store.ts'
import { systemClock } from '../../src/foundation/clock.ts'
import { type LimitStoreCase, limitStoreSuite, type LimitStoreUnderTest } from '../../src/testing/limit-store-suite.ts'

/** A store whose keys nobody else has, on a server that is shared by all cases. */
function onRedis(redis: Redis): LimitStoreUnderTest {
  let shiftMs = 0
  const store = createRedisLimitStore(redis, { shiftMs: () => shiftMs })
  const prefix = randomUUID()
  return {
    store: {
      take: (subject, ...rest) => store.take(prefix + subject, ...rest),
      giveBack: (subject, ...rest) => store.giveBack(prefix + subject, ...rest),
      check: (subject) => store.check(prefix + subject),
    },
    advance: (ms) => void (shiftMs += ms),
  }
}

async function keepsIt({ run }: LimitStoreCase): Promise<void> {
  await expect(run()).resolves.toBeUndefined()
}

describe('given the memory store', () => {
  const makeStore = async (): Promise<LimitStoreUnderTest> => {
    let elapsedMs = 10_000_000
    const store = createMemoryLimitStore({ clock: { ...systemClock, elapsed: () => elapsedMs } })
    return { store, advance: (ms) => void (elapsedMs += ms) }
  }
  test.for(limitStoreSuite(makeStore))('$name', keepsIt)
})

describe('given one Redis', () => {
  let redis: Redis
  let stop: () => Promise<void>

  beforeAll(async () => {
    const server = await startEmbeddedRedis()
    if (server === undefined) throw new Error('There is no redis-server on PATH')
    redis = createRedis({ url: server.url, keyPrefix: 'shop:', commandTimeoutMs: 5000 })
    await redis.check()
    stop = async () => void (await Promise.all([redis.close(), server.stop()]))
  })
  afterAll(() => stop())

  test.for(limitStoreSuite(async () => onRedis(redis)))('$name', keepsIt)
})

describe('given a Redis Cluster', () => {
  let redis: Redis
  let stop: () => Promise<void>

  beforeAll(async () => {
    const cluster = await startRedisCluster(3)
    redis = createRedis({ url: cluster.urls, commandTimeoutMs: 5000 })
    await redis.check()
    stop = async () => void (await Promise.all([redis.close(), cluster.stop()]))
  })
  afterAll(() => stop())

  test.for(limitStoreSuite(async () => onRedis(redis)))('$name', keepsIt)
})
