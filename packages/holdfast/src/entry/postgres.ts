export { createPostgresApiKeyStore } from '../adapters/postgres/api-key-store.ts'
export { createPostgresSessionStore, type PostgresSessionStoreOptions } from '../adapters/postgres/session-store.ts'
export { createDatabase } from '../adapters/postgres/database.ts'
export type { Database, DatabaseStats, PoolStats, Transaction } from '../adapters/postgres/database.ts'
export type { Queries, QueryOptions } from '../adapters/postgres/queries.ts'
export type { IsolationLevel, TransactionOptions, Transactions } from '../core/transactions/transactions.ts'
export type {
  DatabaseOptions,
  PoolOptions,
  ReplicaOptions,
  WorkloadOptions,
} from '../adapters/postgres/database-options.ts'
export { assertRowSecurity } from '../adapters/postgres/row-security.ts'
export type { OutboundCalls } from '../core/transactions/outbound-calls.ts'
export { translateError } from '../adapters/postgres/errors.ts'
export type { ConstraintErrors } from '../adapters/postgres/errors.ts'
export type { Row, RowMapper } from '../foundation/row-mapper.ts'
export { isSqlQuery, sql } from '../adapters/postgres/sql.ts'
export type { LiteralNames, Sql, SqlQuery } from '../adapters/postgres/sql.ts'
export type { SqlJson, SqlParameter, SqlValue } from '../adapters/postgres/sql-value.ts'
export type { OrderAsked } from '../adapters/postgres/sql-order.ts'
export type { LiteralColumns } from '../adapters/postgres/sql-patch.ts'
export type { ColumnType, RecordValue } from '../adapters/postgres/sql-records.ts'
export { keyset } from '../adapters/postgres/keyset.ts'
export type { KeyColumn, Keyset, KeysetOptions, PageAsked, PageParts } from '../adapters/postgres/keyset.ts'
export type { KeyType } from '../adapters/postgres/keyset-types.ts'
