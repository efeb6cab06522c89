import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

export interface TestDatabaseOptions {
  /** A database on the server, as a user who may create databases. Nothing in it is touched. */
  readonly adminUrl: string
  /**
   * Name of the database to copy, with its tables and rows; nobody may be connected to it. Make one with this same
   * function and migrate it once: a copy takes some 50 ms, migrating does not. Default: an empty database
   */
  readonly template?: string
}

/** A database of its own for one test file. */
export interface TestDatabase {
  readonly url: string
  readonly name: string
  /** Removes it, and whoever is still connected. Later calls return the same promise. */
  drop(): Promise<void>
}

/**
 * Creates a database under a random name, so that test files can run at the same time and on a shared server.
 *
 * @throws {Error} when the server cannot be reached, or somebody stays connected to the template
 */
export async function createTestDatabase({ adminUrl, template }: TestDatabaseOptions): Promise<TestDatabase> {
  const name = `holdfast_test_${randomBytes(8).toString('hex')}`
  const source = template === undefined ? '' : ` template ${pg.escapeIdentifier(template)}`
  await whenFree(() => administer(adminUrl, `create database ${name}${source}`))

  let dropped: Promise<void> | undefined
  return {
    name,
    url: databaseUrl(adminUrl, name),
    drop: () => (dropped ??= administer(adminUrl, `drop database if exists ${name} with (force)`)),
  }
}

async function administer(adminUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 5000, query_timeout: 60_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

const objectInUse = '55006'

/** Connections to the template that were closed a moment ago may still be on their way out. */
async function whenFree(create: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await create()
      return
    } catch (error) {
      if ((error as { code?: string }).code !== objectInUse || attempt === 5) throw error
      await delay(100 * attempt)
    }
  }
}

function databaseUrl(adminUrl: string, name: string): string {
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  return url.href
}
