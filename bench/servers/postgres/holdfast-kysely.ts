import { createKysely } from 'holdfast/kysely'
import { createDatabase } from 'holdfast/postgres'
import { database as url, idleTimeoutMs, poolSize } from '../data/work.ts'
import type { Client } from './client-work.ts'
import { deposit, find, type Tables } from './kysely-shop.ts'

const database = createDatabase({ url, maxConnections: poolSize, idleTimeoutMs })
const db = createKysely<Tables>(database)

export const client: Client = {
  find: (id) => find(db, id),
  deposit: (id) => database.transaction(() => deposit(db, id)),
}
