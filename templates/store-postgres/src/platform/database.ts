import type { SessionStore } from 'holdfast/auth'
import type { Logger } from 'holdfast/logging'
import { assertMigrated as assertAllMigrated, migrate } from 'holdfast/migrations'
import {
  assertRowSecurity,
  createDatabase,
  createPostgresSessionStore,
  type Database,
  type Transactions,
} from 'holdfast/postgres'
import type { Redis } from 'holdfast/redis'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config.ts'

export type { Database, Transactions }

const migrations = fileURLToPath(new URL('../../migrations', import.meta.url))
const developmentData = fileURLToPath(new URL('../../.data/pg', import.meta.url))

export interface DatabaseServer {
  readonly url: string
  stop(): Promise<void>
}

/** The server of DATABASE_URL; without it, outside of production, one that starts and migrates here. */
export async function findDatabaseServer(config: Config, logger: Logger): Promise<DatabaseServer> {
  if (config.DATABASE_URL) return { url: config.DATABASE_URL.reveal(), stop: async () => {} }
  // Loaded on demand: production installs neither.
  const { startEmbeddedPostgres } = await import('holdfast/embedded-postgres')
  const server = await startEmbeddedPostgres({ keep: developmentData })
  logger.info({ data: server.directory }, 'DATABASE_URL is not set: an embedded PostgreSQL serves development')
  await migrateDatabase(server.url, logger).catch(async (error: unknown) => {
    await server.stop()
    throw error
  })
  return server
}

/** @returns the names of the migrations applied now */
export const migrateDatabase = (url: string, logger: Logger): Promise<string[]> =>
  migrate({ url, directory: migrations, logger })

export const openDatabase = (url: string, config: Config, logger: Logger): Database =>
  createDatabase({
    url,
    applicationName: '__SERVICE_NAME__',
    // Whoever signs in: what the service may is what the migrations give this role, and row-level security holds for it.
    role: 'app_service',
    maxConnections: config.DATABASE_POOL_SIZE,
    statementTimeoutMs: config.DATABASE_STATEMENT_TIMEOUT_MS,
    workloads: {
      reporting: {
        maxConnections: config.REPORTING_POOL_SIZE,
        maxWaiting: 20,
        statementTimeoutMs: config.REPORTING_STATEMENT_TIMEOUT_MS,
        priority: 'low',
      },
    },
    // A call to another service while a transaction holds locks: tests fail of it, the log of a service has it.
    outboundCalls: config.NODE_ENV === 'test' ? 'refuse' : 'warn',
    closeTimeoutMs: 1500,
    logger,
  })

// Whose rows belong to somebody; the migrations have their policies.
const securedTables = ['orders', 'order_lines']

/**
 * @throws {MigrationError} when the database lacks a migration that this code counts on
 * @throws {Error} when it would show everybody's rows to a query that forgot to ask whose they are
 */
export async function assertMigrated(database: Database): Promise<void> {
  await assertAllMigrated(database, migrations)
  await assertRowSecurity(database, securedTables)
}

export interface SessionStoreNeeds {
  readonly database: Database
  readonly databaseUrl: string
  readonly redis: Redis | undefined
  readonly logger: Logger
}

/** Sessions live where the accounts do: what Redis forgets signs nobody out, and in. */
export const createSessionStore = ({ database, databaseUrl, logger }: SessionStoreNeeds): SessionStore =>
  createPostgresSessionStore(database, { listenUrl: databaseUrl, logger })
