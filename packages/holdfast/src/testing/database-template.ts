import type { DatabaseTemplate, DatabaseTemplateOptions } from '../adapters/postgres/embedded/database-template.ts'

/**
 * Prepares a database once for everybody and copies it for each test file: processes that start at the same time on one
 * server agree on one template, and the next run finds it there unless `directory` has changed.
 *
 * ```ts
 * const template = await createDatabaseTemplate({ adminUrl, directory, prepare: (url) => migrate({ url, directory }) })
 * const { url, drop } = await template.clone()
 * ```
 *
 * Also drops what earlier runs have left behind on the server, killed ones included: copies of processes of this machine
 * that have ended, templates that are out of date, and whatever has lain unused for a day. Databases under other names
 * are never touched, and neither is any that somebody is connected to.
 *
 * @throws {Error} when the server cannot be reached, the folder cannot be read or changes meanwhile, or connections to
 *   the new database stay open; and what `prepare` throws
 * @throws {TypeError | RangeError} for an option out of its bounds
 */
export async function createDatabaseTemplate(options: DatabaseTemplateOptions): Promise<DatabaseTemplate> {
  // Loaded on demand: whoever uses another store has no PostgreSQL driver.
  const adapter = await import('../adapters/postgres/embedded/database-template.ts')
  return await adapter.createDatabaseTemplate(options)
}
