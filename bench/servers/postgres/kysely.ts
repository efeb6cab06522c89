// Kysely as its documentation starts, over a pool of `pg`.
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { database, idleTimeoutMs, poolSize } from '../data/work.ts'
import type { Client } from './client-work.ts'
import { deposit, find, type Tables } from './kysely-shop.ts'

const pool = new pg.Pool({ connectionString: database, max: poolSize, idleTimeoutMillis: idleTimeoutMs })
const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })

export const client: Client = {
  find: (id) => find(db, id),
  deposit: (id) => db.transaction().execute((transaction) => deposit(transaction, id)),
}
