import { createTestDatabase, startEmbeddedPostgres, type TestDatabase } from 'holdfast/embedded-postgres'
import { silentLogger } from 'holdfast/logging'
import { after } from 'node:test'
import { migrateDatabase } from '../src/platform/database.ts'

interface Template extends TestDatabase {
  readonly adminUrl: string
}

export interface DatabaseForTest extends TestDatabase {
  /** By which settings the service finds it. */
  readonly env: Readonly<Record<string, string>>
}

let template: Promise<Template> | undefined
// Here and not where it is made: what is registered in a hook or a test is over with that.
after(async () => (await template)?.drop())

/** A copy of a database that is migrated once per run, on the server of TEST_DATABASE_URL, a superuser's, or an embedded one. */
export async function createDatabaseForTest(): Promise<DatabaseForTest> {
  const { adminUrl, name } = await (template ??= createTemplate())
  const database = await createTestDatabase({ adminUrl, template: name })
  return { ...database, env: { DATABASE_URL: database.url } }
}

async function createTemplate(): Promise<Template> {
  const adminUrl = process.env['TEST_DATABASE_URL'] ?? (await startEmbeddedPostgres()).url
  const database = await createTestDatabase({ adminUrl })
  await migrateDatabase(database.url, silentLogger)
  return { ...database, adminUrl }
}
