import pg from 'pg'
import { administering, urlOfDatabase, whenFree } from './admin-connection.ts'
import { newTestName } from './test-names.ts'

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
  const name = newTestName()
  const source = template === undefined ? '' : ` template ${pg.escapeIdentifier(template)}`
  await administering(adminUrl, (admin) => whenFree(() => admin.query(`create database ${name}${source}`)))

  let dropped: Promise<void> | undefined
  return {
    name,
    url: urlOfDatabase(adminUrl, name),
    drop: () =>
      (dropped ??= administering(adminUrl, async (admin) => {
        await admin.query(`drop database if exists ${name} with (force)`)
      })),
  }
}
