import type { Logger } from 'holdfast/http'
import { createRedis, type Redis } from 'holdfast/redis'
import type { Config } from '../config.ts'

export interface RedisServer {
  readonly url: string
  stop(): Promise<void>
}

/** The server of REDIS_URL; without it, in development, one of this machine's programs. In tests and else: none. */
export async function findRedisServer(config: Config, logger: Logger): Promise<RedisServer | undefined> {
  if (config.REDIS_URL) return { url: config.REDIS_URL.reveal(), stop: async () => {} }
  if (config.NODE_ENV !== 'development') return undefined
  const { startEmbeddedRedis } = await import('holdfast/embedded-redis')
  const server = await startEmbeddedRedis()
  logger.info(
    {},
    `REDIS_URL is not set: limits are counted in ${server ? 'a Redis that this process started' : 'memory'}`,
  )
  return server
}

export const openRedis = (server: RedisServer | undefined, config: Config, logger: Logger): Redis | undefined =>
  server &&
  createRedis({
    url: server.url,
    keyPrefix: config.REDIS_KEY_PREFIX,
    commandTimeoutMs: config.REDIS_TIMEOUT_MS,
    logger,
  })
