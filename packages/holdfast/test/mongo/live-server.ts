import { randomUUID } from 'node:crypto'
import mongoose from 'mongoose'
import type { TestContext } from 'vitest'

/** What no scripted server can show, and a live one does. Printed when there is none. */
const claims = [
  'queries, updates and aggregations mean what we think they mean',
  'unique, partial and compound indexes are enforced, also inside transactions and between concurrent writers',
  'what is rolled back is gone from the collections',
  'a transaction reads one snapshot, and nobody reads what is not committed',
  'concurrent transactions on one document conflict, and ours run again until no piece is sold twice and no cent is lost',
  'connections cut at random moments lose and double nothing',
  'a retryable write that arrives twice is done once',
  'the server ends an operation at its maxTimeMS, and when its client has gone',
  'a validator ($jsonSchema) refuses what got past everything else',
  'two sessions see what was written with a majority',
]

/** What neither shows. */
const unproven = [
  'elections and step-downs of a real primary, and change streams over them',
  'the 60 seconds and 16 MB that the server grants a transaction',
  'roles, TLS, sharding, expiry (TTL), performance',
]

const given = process.env['MONGODB_URL']
const isRequired = process.env['HOLDFAST_REQUIRE_MONGO'] === '1'
const reason = 'needs MONGODB_URL, a replica set'

export interface LiveDatabase {
  /** Of a database with a random name, which is dropped at the end. */
  readonly url: string
  readonly client: mongoose.mongo.MongoClient
  readonly db: mongoose.mongo.Db
}

/**
 * A test that wants a real MongoDB: `test('when …', live(async ({ url }) => { … }))`. Without one it is counted as skipped,
 * or fails with `HOLDFAST_REQUIRE_MONGO=1`.
 */
export function live(prove: (database: LiveDatabase) => Promise<void>): (context: TestContext) => Promise<void> {
  return async ({ skip }) => {
    if (given !== undefined) await within(given, prove)
    else if (isRequired) throw new Error(`This ${reason}`)
    else skip(reason)
  }
}

async function within(url: string, prove: (database: LiveDatabase) => Promise<void>): Promise<void> {
  const own = withDatabase(url, `holdfast_live_${randomUUID().slice(0, 8)}`)
  const client = await new mongoose.mongo.MongoClient(own, { serverSelectionTimeoutMS: 5000 }).connect()
  try {
    await prove({ url: own, client, db: client.db() })
  } finally {
    await client.db().dropDatabase()
    await client.close()
  }
}

/** Whoever signs in does so at the database that the URL named. */
function withDatabase(url: string, name: string): string {
  const [, front = '', database, parameters = ''] =
    /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/i.exec(url) ?? []
  const more = new URLSearchParams(parameters)
  if (front.includes('@') && !front.startsWith('mongodb+srv') && !more.has('authSource')) {
    more.set('authSource', database === undefined || database === '' ? 'admin' : database)
  }
  return `${front}/${name}?${more.toString()}`
}

/** For the start of a suite. */
export function sayWhatIsNotProven(): void {
  if (given !== undefined) return
  const lines = [
    `No live MongoDB: this suite ${reason}. ${isRequired ? 'HOLDFAST_REQUIRE_MONGO=1 makes that a failure.' : ''}`,
    'NOT PROVEN in this run:',
    ...claims.map((claim) => `  - ${claim}`),
    'Not proven by the live suite either:',
    ...unproven.map((claim) => `  - ${claim}`),
  ]
  const rule = '='.repeat(110)
  console.warn(['', rule, ...lines.map((line) => `| ${line}`), rule, ''].join('\n'))
}
