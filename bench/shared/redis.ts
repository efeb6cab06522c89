import { startEmbeddedRedis } from 'holdfast/embedded-redis'
import { Redis } from 'ioredis'
import provideRedis from '../../tools/provide-redis.ts'
import type { Meter } from './load.ts'

export interface BenchRedis extends Meter {
  readonly url: string
  stop(): Promise<void>
}

/** A real server for all contenders, taken from wherever the tests take theirs. */
export async function startRedis(): Promise<BenchRedis> {
  provideRedis()
  const server = await startEmbeddedRedis()
  if (server === undefined) throw new Error('There is no redis-server on PATH')
  const client = new Redis(server.url)
  return {
    url: server.url,
    async cpuMicros() {
      const info = await client.info('cpu')
      const seconds = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
      return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6
    },
    async stop() {
      client.disconnect()
      await server.stop()
    },
  }
}
