export { createRedis } from '../adapters/redis/redis.ts'
export type { Redis, RedisArgument, RedisOptions, RedisScript } from '../adapters/redis/redis.ts'
