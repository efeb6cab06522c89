import { createTestDatabase, startEmbeddedPostgres } from 'holdfast/embedded-postgres'
import { createDatabase, sql } from 'holdfast/postgres'
import mongoose from 'mongoose'
import { randomBytes } from 'node:crypto'
import { startWireStore } from '../../holdfast/test/mongo/wire-store.ts'
import type { StoreName } from '../src/layers.ts'

/** What a store needs around it to be tested, and how a test reaches into it. */
export interface StoreUnderTest {
  /** Finds an empty database. */
  readonly env: Readonly<Record<string, string>>
  /** Finds the one for development, where that does not bring its own. */
  readonly developmentEnv: Readonly<Record<string, string>>
  /** Finds the server for the service's own tests. */
  readonly testEnv: Readonly<Record<string, string>>
  makeEditor(email: string): Promise<void>
  /** What the store was asked and did not understand. */
  readonly defects: readonly unknown[]
  stop(): Promise<void>
}

export const startStore: Readonly<Record<StoreName, () => Promise<StoreUnderTest>>> = {
  async postgres() {
    const server = await startEmbeddedPostgres()
    const { url } = await createTestDatabase({ adminUrl: server.url })
    return {
      env: { DATABASE_URL: url },
      developmentEnv: {},
      testEnv: {},
      async makeEditor(email) {
        const database = createDatabase({ url })
        await database.execute(sql`update accounts set roles = '{editor}' where email = ${email}`)
        await database.close()
      },
      defects: [],
      stop: () => server.stop(),
    }
  },

  /** The one of MONGODB_URL, in databases of its own; without it one in memory, which says what it does not prove. */
  async mongodb() {
    const given = process.env['MONGODB_URL']
    const wire = given === undefined ? await startWireStore() : undefined
    const server = given ?? wire?.url ?? ''
    const made = [databaseAt(server), databaseAt(server)] as const
    const [url, developmentUrl] = made
    return {
      env: { MONGODB_URL: url },
      developmentEnv: { MONGODB_URL: developmentUrl },
      testEnv: { TEST_MONGODB_URL: server },
      makeEditor: (email) =>
        withDatabase(url, async (db) => {
          await db.collection('accounts').updateOne({ email }, { $set: { roles: ['editor'] } })
        }),
      defects: wire?.server.defects ?? [],
      async stop() {
        for (const one of made) await withDatabase(one, (db) => db.dropDatabase())
        await wire?.close()
      },
    }
  },
}

/** Whoever signs in does so at the database that the URL named. */
function databaseAt(server: string): string {
  const [front = '', parameters = ''] = server.split('?')
  const [, hosts = '', named = ''] = /^([^/]+\/\/[^/]+)\/?(.*)$/.exec(front) ?? []
  const more = new URLSearchParams(parameters)
  if (hosts.includes('@') && !more.has('authSource')) more.set('authSource', named || 'admin')
  return `${hosts}/service_${randomBytes(6).toString('hex')}?${more.toString()}`
}

async function withDatabase(url: string, work: (db: mongoose.mongo.Db) => Promise<unknown>): Promise<void> {
  const client = new mongoose.mongo.MongoClient(url)
  try {
    await work(client.db())
  } finally {
    await client.close()
  }
}
