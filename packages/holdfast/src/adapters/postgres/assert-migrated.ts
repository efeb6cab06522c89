import type { Database } from './database.ts'
import { readMigrationFiles } from './migration-files.ts'
import { MigrationError } from './migration-error.ts'
import { sql } from './sql.ts'

/**
 * Refuses to go on with a database that lacks a migration. For the start of a service, so that it does not take traffic
 * it can't serve; a database that is further on is fine, because a rollout migrates first. Needs no package but pg.
 *
 * @param directory - the folder that {@link migrate} takes
 * @throws {MigrationError} naming what is missing
 */
export async function assertMigrated(database: Database, directory: string): Promise<void> {
  const files = await readMigrationFiles(directory)
  const applied = (await hasTable(database)) ? await listApplied(database) : []
  const missing = files.filter(({ name }) => !applied.includes(name)).map(({ name }) => `${name}.sql`)
  if (missing.length === 0) return
  throw new MigrationError(
    `The database lacks ${missing.join(', ')}. Run "npm run migrate", or call migrate(), then start again`,
    missing[0],
  )
}

const hasTable = (database: Database): Promise<boolean> =>
  database.one(
    sql`select to_regclass('pgmigrations') is not null as found`,
    ({ found }: { readonly found: boolean }) => found,
  )

const listApplied = (database: Database): Promise<string[]> =>
  database.many(sql`select name from pgmigrations`, ({ name }: { readonly name: string }) => name)
