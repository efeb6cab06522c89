import { startEmbeddedRedis } from 'holdfast/embedded-redis'
import { silentLogger } from 'holdfast/logging'
import { createRedis } from 'holdfast/redis'
import mongoose from 'mongoose'
import { randomBytes } from 'node:crypto'
import { migrateDatabase } from '../src/platform/database.ts'

export interface DatabaseForTest {
  readonly url: string
  /** By which settings the service finds it. */
  readonly env: Readonly<Record<string, string>>
  drop(): Promise<void>
}

// Those of compose.yaml.
const mongodbUrl = process.env['TEST_MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/test?replicaSet=rs0'
const redisUrl = process.env['TEST_REDIS_URL'] ?? 'redis://127.0.0.1:6379'

/** An empty database with its indexes at TEST_MONGODB_URL, and a Redis for the sessions, or a corner of one. */
export async function createDatabaseForTest(): Promise<DatabaseForTest> {
  const name = `test_${randomBytes(8).toString('hex')}`
  const url = databaseAt(mongodbUrl, name)
  const redis = await findRedis(`${name}:`)
  await migrateDatabase(url, silentLogger).catch((cause: unknown) => {
    throw new Error('The tests need a MongoDB replica set: docker compose up -d, or set TEST_MONGODB_URL', { cause })
  })
  return {
    url,
    // A machine that runs many tests at once may be slow, and no service has to fail for that.
    env: { MONGODB_URL: url, REDIS_URL: redis.url, REDIS_KEY_PREFIX: redis.keyPrefix, REDIS_TIMEOUT_MS: '5000' },
    drop: async () => {
      await dropDatabase(url)
      await redis.drop()
    },
  }
}

/** Whoever signs in does so at the database that the URL named. */
function databaseAt(server: string, name: string): string {
  const [front = '', parameters = ''] = server.split('?')
  const [, hosts = '', named = ''] = /^([^/]+\/\/[^/]+)\/?(.*)$/.exec(front) ?? []
  const more = new URLSearchParams(parameters)
  if (hosts.includes('@') && !more.has('authSource')) more.set('authSource', named || 'admin')
  return `${hosts}/${name}?${more.toString()}`
}

/** TEST_REDIS_URL; without it one of this machine's programs, else that of compose.yaml. */
async function findRedis(keyPrefix: string) {
  const own = process.env['TEST_REDIS_URL'] === undefined ? await startEmbeddedRedis() : undefined
  if (own !== undefined) return { url: own.url, keyPrefix, drop: () => own.stop() }
  return { url: redisUrl, keyPrefix, drop: () => dropKeys(redisUrl, keyPrefix) }
}

async function dropDatabase(url: string): Promise<void> {
  const client = new mongoose.mongo.MongoClient(url)
  try {
    await client.db().dropDatabase()
  } finally {
    await client.close()
  }
}

async function dropKeys(url: string, keyPrefix: string): Promise<void> {
  const redis = createRedis({ url, keyPrefix })
  try {
    for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const [next, keys] = (await redis.command('SCAN', cursor, 'MATCH', `${keyPrefix}*`, 'COUNT', 1000)) as [
        string,
        string[],
      ]
      if (keys.length > 0) await redis.command('DEL', ...keys)
      cursor = next
    }
  } finally {
    await redis.close()
  }
}
