import type { ApiKeyRecord, ApiKeyStore } from '../../core/auth/api-key-store.ts'
import type { Database } from './database.ts'
import { sql } from './sql.ts'

/** Keys of machines in PostgreSQL, in the table of `holdfast/sql/api-keys.sql`. */
export function createPostgresApiKeyStore(database: Database): ApiKeyStore {
  return {
    async insert({ id, secretHash, principalId, name, permissions, expiresAt }) {
      const expires = expiresAt === undefined ? null : new Date(expiresAt)
      await database.execute(sql`
        insert into api_keys (id, secret_hash, principal_id, name, permissions, expires_at)
        values (${id}, ${secretHash}, ${principalId}, ${name}, ${permissions}, ${expires})`)
    },
    async find(id) {
      return await database.maybeOne(
        sql`
          select id, secret_hash, principal_id, name, permissions, expires_at
          from api_keys
          where id = ${id} and revoked_at is null`,
        (row: KeyRow & { readonly secret_hash: Uint8Array }) => ({ ...toKey(row), secretHash: row.secret_hash }),
      )
    },
    async list(principalId) {
      return await database.many(
        sql`
          select id, principal_id, name, permissions, expires_at
          from api_keys
          where principal_id = ${principalId} and revoked_at is null
          order by created_at, id
          limit 1000`,
        toKey,
      )
    },
    async revoke(principalId, id) {
      const revoked = await database.execute(sql`
        update api_keys set revoked_at = now()
        where id = ${id} and principal_id = ${principalId} and revoked_at is null`)
      return revoked > 0
    },
  }
}

interface KeyRow {
  readonly id: string
  readonly principal_id: string
  readonly name: string
  readonly permissions: readonly string[]
  readonly expires_at: Date | null
}

function toKey(row: KeyRow): Omit<ApiKeyRecord, 'secretHash'> {
  return {
    id: row.id,
    principalId: row.principal_id,
    name: row.name,
    permissions: row.permissions,
    expiresAt: row.expires_at?.getTime(),
  }
}
