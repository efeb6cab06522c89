export { startEmbeddedRedis } from '../adapters/redis/embedded/embedded-redis.ts'
export type { EmbeddedRedis, EmbeddedRedisOptions } from '../adapters/redis/embedded/embedded-redis.ts'
