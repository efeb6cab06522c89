export type { Redis, RedisOptions, RedisScript } from '../adapters/redis/redis.ts'
