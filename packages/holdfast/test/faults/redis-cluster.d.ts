import type { EmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
export interface RedisCluster {
  readonly urls: readonly string[]
  /** Its masters, which share the slots in this order; there are no replicas. */
  readonly nodes: readonly EmbeddedRedis[]
  stop(): Promise<void>
}
/** A real Redis Cluster on 127.0.0.1 of `masters` masters. When one is gone the cluster answers for no slot. */
export declare function startRedisCluster(masters?: number): Promise<RedisCluster>
