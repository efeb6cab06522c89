export { createRedisLimitStore, type RedisLimitStoreOptions } from '../adapters/redis/limit-store.ts'
export { createRedis } from '../adapters/redis/redis.ts'
export type { Redis, RedisArgument, RedisOptions, RedisScript } from '../adapters/redis/redis.ts'
export { createRedisSessionStore, type RedisSessionStoreOptions } from '../adapters/redis/session-store.ts'
