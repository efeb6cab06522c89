import { startEmbeddedPostgres, type TestDatabase } from 'holdfast/embedded-postgres'
import { silentLogger } from 'holdfast/logging'
import { createDatabaseTemplate, type DatabaseTemplate } from 'holdfast/testing'
import { fileURLToPath } from 'node:url'
import { migrateDatabase } from '../src/platform/database.ts'

export interface DatabaseForTest extends TestDatabase {
  /** By which settings the service finds it. */
  readonly env: Readonly<Record<string, string>>
}

let template: Promise<DatabaseTemplate> | undefined

/** A copy of a migrated database, on the server of TEST_DATABASE_URL, a superuser's, or an embedded one. */
export async function createDatabaseForTest(): Promise<DatabaseForTest> {
  const database = await (await (template ??= createTemplate())).clone()
  return { ...database, env: { DATABASE_URL: database.url } }
}

/** Migrated once: all test files on one server share it, and so does the next run until a migration changes. */
async function createTemplate(): Promise<DatabaseTemplate> {
  return createDatabaseTemplate({
    adminUrl: process.env['TEST_DATABASE_URL'] ?? (await startEmbeddedPostgres()).url,
    directory: fileURLToPath(new URL('../migrations', import.meta.url)),
    prepare: (url) => migrateDatabase(url, silentLogger),
  })
}
