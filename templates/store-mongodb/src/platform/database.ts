import type { SessionStore } from 'holdfast/auth'
import { isAppError } from 'holdfast/errors'
import type { Logger } from 'holdfast/logging'
import {
  assertIndexes,
  createMongo,
  ensureIndexes,
  type IndexedModel,
  type MongoDatabase,
  type Transactions,
} from 'holdfast/mongo'
import { createRedisSessionStore, type Redis } from 'holdfast/redis'
import { type Model, Schema } from 'mongoose'
import type { Config } from '../config.ts'
import { indexes } from './indexes.ts'

export type { Transactions }
export type Database = MongoDatabase

export interface DatabaseServer {
  readonly url: string
  stop(): Promise<void>
}

/** The replica set of MONGODB_URL; there is no embedded one. */
export async function findDatabaseServer(config: Config, _logger: Logger): Promise<DatabaseServer> {
  if (config.MONGODB_URL === undefined) throw new Error('MONGODB_URL is missing: no MongoDB is embedded')
  return { url: config.MONGODB_URL.reveal(), stop: async () => {} }
}

export const openDatabase = (url: string, config: Config, logger: Logger): Database =>
  createMongo({
    url,
    applicationName: '__SERVICE_NAME__',
    maxConnections: config.MONGODB_POOL_SIZE,
    operationTimeoutMs: config.MONGODB_OPERATION_TIMEOUT_MS,
    workloads: {
      reporting: {
        maxConnections: config.REPORTING_POOL_SIZE,
        maxWaiting: 20,
        operationTimeoutMs: config.REPORTING_OPERATION_TIMEOUT_MS,
      },
    },
    closeTimeoutMs: 1500,
    logger,
  })

/** Opens the model of a collection: the same one for all who ask for it of the same database. */
export function defineModel<Document>(
  collection: string,
  schema: Schema<Document>,
): (database: Database) => Model<Document> {
  schema.set('collection', collection)
  // What is empty is stored as well.
  schema.set('minimize', false)
  return (database) => openModel(database, collection, schema) as Model<Document>
}

/** Without types: the checker of types takes seconds to compare two schemas. */
const openModel = (database: Database, name: string, schema: unknown): unknown =>
  (database as unknown as { model(name: string, schema: unknown): unknown }).model(name, schema)

/** Makes the indexes that are missing, and waits until they are built. Two may do it at once. */
export async function migrateDatabase(url: string, logger: Logger): Promise<void> {
  const database = createMongo({ url, applicationName: '__SERVICE_NAME__ migrate', logger })
  try {
    logger.info({ indexes: await ensureIndexes(indexedModels(database)) }, 'The collections have their indexes')
  } finally {
    await database.close()
  }
}

/** @throws {Error} when the database has no transactions, or lacks an index that this code counts on */
export async function assertMigrated(database: Database): Promise<void> {
  // Of a server in no replica set this is the first refusal; better now than with the first order.
  await database.transaction(async () => {})
  try {
    await assertIndexes(indexedModels(database))
  } catch (error) {
    if (isAppError(error)) throw error
    throw new Error('The database lacks indexes. Run the migrations (npm run migrate), then start again', {
      cause: error,
    })
  }
}

/** A model for each collection that knows its indexes and nothing else. */
const indexedModels = (database: Database): IndexedModel[] =>
  Object.entries(indexes).map(([collection, list]) => {
    const schema = new Schema({}, { collection })
    for (const { key, ...options } of list) schema.index(key, options)
    return openModel(database, `Indexes of ${collection}`, schema) as IndexedModel
  })

export interface SessionStoreNeeds {
  readonly database: Database
  readonly databaseUrl: string
  readonly redis: Redis | undefined
  readonly logger: Logger
}

/** Sessions live in Redis, which ends them on every instance at once. */
export function createSessionStore({ redis }: SessionStoreNeeds): SessionStore {
  if (redis !== undefined) return createRedisSessionStore(redis)
  throw new Error('Sessions are kept in Redis. Set REDIS_URL, or put redis-server on the PATH for development')
}
