import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { MigrationError } from './migration-error.ts'

/** One file of SQL, to be run once. */
export interface MigrationFile {
  /** File name without `.sql`; under this name it is recorded as applied. */
  readonly name: string
  readonly sql: string
  /** True when the file asks to run outside a transaction, as `create index concurrently` has to. */
  readonly isWithoutTransaction: boolean
}

/** @throws {MigrationError} when the folder is missing, empty, or holds a file that is not a plain forward migration */
export async function readMigrationFiles(directory: string): Promise<MigrationFile[]> {
  const names = (await listFiles(directory)).filter((name) => !name.startsWith('.')).toSorted()
  const code = names.find((name) => /\.[cm]?[jt]s$/.test(name))
  if (code !== undefined) throw new MigrationError(`Migrations are plain SQL; ${code} in ${directory} is not`, code)

  const sqlNames = names.filter((name) => name.endsWith('.sql'))
  if (sqlNames.length === 0) {
    throw new MigrationError(`There are no migrations in ${directory}; add one, such as 0001_create_products.sql`)
  }
  return await Promise.all(sqlNames.map((name) => readMigrationFile(join(directory, name))))
}

async function listFiles(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name)
  } catch (cause) {
    throw new MigrationError(`The folder of migrations cannot be read: ${directory}`, undefined, { cause })
  }
}

async function readMigrationFile(path: string): Promise<MigrationFile> {
  const file = basename(path)
  // The name goes into a statement of the tool, and its number decides the order.
  if (!/^\d+[A-Za-z0-9_-]*\.sql$/.test(file)) {
    throw new MigrationError(
      `${file} needs a name such as 0002_add_prices.sql: a number, then letters, digits, _ and -`,
      file,
    )
  }
  const sql = await readFile(path, 'utf8')
  if (sql.trim() === '') throw new MigrationError(`${file} is empty; write its SQL or remove it`, file)
  if (/^\s*--[\s-]*down\s+migration/im.test(sql)) {
    throw new MigrationError(
      `${file} has a part that goes back ("-- Down Migration"); migrations only go forward`,
      file,
    )
  }
  return { name: basename(file, '.sql'), sql, isWithoutTransaction: /^\s*--\s*no transaction\s*$/im.test(sql) }
}
