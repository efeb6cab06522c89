import { basename } from 'node:path'
import type { RunnerOption } from 'node-pg-migrate'
import pg from 'pg'
import { silentLogger } from '../../foundation/logger.ts'
import type { Logger } from '../../foundation/logger.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'
import { MigrationError } from './migration-error.ts'
import { readMigrationFiles } from './migration-files.ts'
import type { MigrationFile } from './migration-files.ts'

export interface MigrateOptions {
  /** Straight to the server: a pooler in transaction mode cannot hold the lock. */
  readonly url: string
  /**
   * Folder of plain SQL files, such as `0001_create_products.sql`: run in the order of their numbers, each once and in
   * a transaction of its own. A line `-- no transaction` lets a file with one statement run outside of it.
   */
  readonly directory: string
  /** Told what is applied. Default: nobody */
  readonly logger?: Logger
  /** How long to wait for another process that is migrating, milliseconds, 1 to 3 600 000. Default 60 000 */
  readonly waitTimeoutMs?: number
  /**
   * How long a migration waits for a lock before it fails, milliseconds, 1 to 3 600 000. While it waits, every query on
   * the same table waits behind it. Default 5 000
   */
  readonly lockTimeoutMs?: number
}

/**
 * Brings a database to the newest migration. Processes that start at the same time wait for each other; a failed file
 * leaves no trace of itself, and the files before it stay applied.
 * Needs the package `node-pg-migrate`, whose table `pgmigrations` records what was applied.
 *
 * @returns the names of the files applied now, without `.sql`; none when the database was up to date
 * @throws {MigrationError} naming the file and what to do; nothing is applied when the folder itself is at fault
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const { url, directory, logger = silentLogger } = options
  const waitTimeoutMs = milliseconds('waitTimeoutMs', options.waitTimeoutMs ?? 60_000)
  const lockTimeoutMs = milliseconds('lockTimeoutMs', options.lockTimeoutMs ?? 5000)
  const files = await readMigrationFiles(directory)
  const tool = await loadTool()
  const client = await connect(url)
  try {
    await lock(client, tool.PG_MIGRATE_LOCK_ID, waitTimeoutMs)
    await client.query(`set lock_timeout = ${lockTimeoutMs}`)
    return await applyMissing({ tool, client, directory, files, logger })
  } finally {
    // Gives the lock back as well, and rolls back what a failed file left open.
    await client.end().catch(() => {})
  }
}

type Tool = typeof import('node-pg-migrate')

interface Run {
  readonly tool: Tool
  readonly client: pg.Client
  readonly directory: string
  readonly files: readonly MigrationFile[]
  readonly logger: Logger
}

async function applyMissing({ tool, client, directory, files, logger }: Run): Promise<string[]> {
  let current: MigrationFile | undefined
  const begin = (file: MigrationFile): void => {
    current = file
    logger.info({ migration: file.name }, 'Applying a migration')
  }
  try {
    const applied = await tool.runner({
      dbClient: client,
      dir: directory,
      direction: 'up',
      migrationsTable: 'pgmigrations',
      // The lock is ours already: the tool waits for it without end or not at all.
      noLock: true,
      ignorePattern: String.raw`\..*|.*(?<!\.sql)`,
      migrationLoaderStrategies: [{ extensions: ['.sql'], loader: async (paths) => toUnits(paths, files, begin) }],
      logger: silentTool,
    })
    return applied.map(({ name }) => name)
  } catch (cause) {
    throw explain(cause, current, directory)
  }
}

type Loader = Extract<NonNullable<RunnerOption['migrationLoaderStrategies']>[number]['loader'], Function>
type Units = Awaited<ReturnType<Loader>>

/** Hands over the texts that were read and checked before, and tells which file is about to run. */
function toUnits(
  paths: readonly string[],
  files: readonly MigrationFile[],
  begin: (file: MigrationFile) => void,
): Units {
  return paths.map((path) => {
    const file = files.find(({ name }) => name === basename(path, '.sql'))
    if (file === undefined) throw new MigrationError(`${basename(path)} appeared while migrating; run it again`)
    return {
      id: path,
      filePaths: [path],
      actions: {
        down: false,
        up(migration) {
          begin(file)
          if (file.isWithoutTransaction) migration.noTransaction()
          migration.sql(file.sql)
        },
      },
    }
  })
}

// The tool prints whole statements, which may hold data; its errors tell us enough.
const silentTool = { info: () => {}, warn: () => {}, error: () => {} }

async function loadTool(): Promise<Tool> {
  try {
    // Only who migrates needs it: a service that imports this file in production may leave the package away.
    return await import('node-pg-migrate')
  } catch (cause) {
    throw new MigrationError('Migrating needs the package node-pg-migrate; npm install node-pg-migrate', undefined, {
      cause,
    })
  }
}

async function connect(url: string): Promise<pg.Client> {
  try {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: 10_000,
      application_name: 'holdfast migrate',
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
    // A lost connection fails the statement that runs; without a listener it would end the process as well.
    client.on('error', () => {})
    await client.connect()
    return client
  } catch (cause) {
    const reason = reasonOf(cause)
    throw new MigrationError(`The database cannot be reached: ${reason}. Check that it runs and the URL`, undefined, {
      cause,
    })
  }
}

async function lock(client: pg.Client, lockId: number, waitTimeoutMs: number): Promise<void> {
  try {
    await client.query(`set lock_timeout = ${waitTimeoutMs}`)
    await client.query(`select pg_advisory_lock(${lockId})`)
  } catch (cause) {
    const isOther = (cause as { code?: unknown }).code === '55P03'
    const reason = isOther ? `another process has been migrating for ${waitTimeoutMs} ms` : reasonOf(cause)
    throw new MigrationError(`Migrating could not begin: ${reason}`, undefined, { cause })
  }
}

function explain(cause: unknown, current: MigrationFile | undefined, directory: string): MigrationError {
  if (cause instanceof MigrationError) return cause
  const reason = reasonOf(cause)
  if (current !== undefined) {
    const file = `${current.name}.sql`
    const state = current.isWithoutTransaction
      ? 'It ran outside a transaction, so look what it left behind'
      : 'Nothing of it was applied'
    return new MigrationError(
      `${file} failed: ${reason}${lineOf(cause, current.sql)}. ${state}; correct it and run again`,
      file,
      {
        cause,
      },
    )
  }
  if (/preceding already run migration/.test(reason)) {
    return new MigrationError(
      `${directory} does not match what was applied: a new file has a number below an applied one, or an applied file ` +
        `was renamed or removed. Give new files the highest number and leave applied ones alone (${reason})`,
      undefined,
      { cause },
    )
  }
  return new MigrationError(`Migrating failed: ${reason}`, undefined, { cause })
}

/** ` at line 3`, when the server told where in the file it stumbled. */
function lineOf(cause: unknown, text: string): string {
  const position = Number((cause as { position?: unknown }).position)
  return Number.isInteger(position) && position > 0 ? ` at line ${text.slice(0, position).split('\n').length}` : ''
}

function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return String((cause as { code?: unknown }).code)
  return cause instanceof Error ? cause.message : String(cause)
}

const milliseconds = (name: string, value: number): number => wholeNumber(name, value, 1, 3_600_000)
