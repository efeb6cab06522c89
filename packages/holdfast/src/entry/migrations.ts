export { assertMigrated } from '../adapters/postgres/assert-migrated.ts'
export { migrate } from '../adapters/postgres/migrations.ts'
export type { MigrateOptions } from '../adapters/postgres/migrations.ts'
export { MigrationError } from '../adapters/postgres/migration-error.ts'
