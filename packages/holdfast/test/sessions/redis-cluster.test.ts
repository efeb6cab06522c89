import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRedis, type Redis } from '../../src/adapters/redis/redis.ts'
import { createRedisSessionStore } from '../../src/adapters/redis/session-store.ts'
import { sessionStoreSuite } from '../../src/testing/session-store-suite.ts'
import { startRedisCluster, type RedisCluster } from '../faults/redis-cluster.ts'

let cluster: RedisCluster | undefined
const connections: Redis[] = []

beforeAll(async () => {
  cluster = await startRedisCluster()
}, 60_000)

afterAll(async () => {
  await Promise.all(connections.map((one) => one.close()))
  await cluster?.stop()
})

describe('given sessions in a Redis Cluster', () => {
  const open = (shiftMs: number) => {
    const redis = createRedis({ url: cluster!.urls, commandTimeoutMs: 2000 })
    connections.push(redis)
    return createRedisSessionStore(redis, { shiftMs })
  }

  test.each(sessionStoreSuite({ open }))('$name', async ({ run }) => {
    expect(await run()).toBeUndefined()
  })
})
