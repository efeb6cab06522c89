export { startEmbeddedPostgres } from '../adapters/postgres/embedded/embedded-postgres.ts'
export type { EmbeddedPostgres, EmbeddedPostgresOptions } from '../adapters/postgres/embedded/embedded-postgres.ts'
export { createTestDatabase } from '../adapters/postgres/embedded/test-database.ts'
export type { TestDatabase, TestDatabaseOptions } from '../adapters/postgres/embedded/test-database.ts'
