import { readFileSync } from 'node:fs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionStore } from '../../core/auth/session-store.ts'
import { sessionStoreSuite } from '../../testing/session-store-suite.ts'
import { createPostgresApiKeyStore } from './api-key-store.ts'
import { createDatabase, type Database } from './database.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { createPostgresSessionStore } from './session-store.ts'
import { sql } from './sql.ts'

let server: EmbeddedPostgres
let database: Database
const databases: Database[] = []

const tables = (name: string): string => readFileSync(new URL(`../../../sql/${name}.sql`, import.meta.url), 'utf8')

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(server.url)
  await client.connect()
  return client
}

function openDatabase(): Database {
  const one = createDatabase({ url: server.url, maxConnections: 8 })
  databases.push(one)
  return one
}

const open = (shiftMs: number): SessionStore =>
  createPostgresSessionStore(openDatabase(), { listenUrl: server.url, shiftMs })

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  const client = await connect()
  await client.query(tables('sessions'))
  await client.query(tables('api-keys'))
  await client.end()
  database = openDatabase()
}, 60_000)

afterAll(async () => {
  await Promise.all(databases.map((one) => one.close()))
  await server?.stop()
})

const hour = 3_600_000
const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const session = (principalId: string) => {
  const id = crypto.randomUUID()
  return {
    id,
    sessionId: id,
    principalId,
    label: '',
    familyHash: bytes(1),
    tokenHash: bytes(2),
    idleMs: hour,
    lifetimeMs: 2 * hour,
  }
}

describe('given sessions in PostgreSQL', () => {
  test.each(sessionStoreSuite({ open }))('$name', async ({ run }) => {
    expect(await run()).toBeUndefined()
  })

  test('when a revocation is committed after a later one was read, it is read next', async () => {
    const store = open(0)
    const slow = session('slow')
    const quick = session('quick')
    await store.create(slow)
    await store.create(quick)
    const other = await connect()
    await other.query('begin')
    await other.query(
      `insert into session_revocations (session_id, at) values ($1, clock_timestamp() - interval '5 minutes')`,
      [slow.id],
    )
    await store.end('quick', {})
    const first = await store.revocations({ withinMs: hour })
    const second = await store.revocations({ withinMs: hour, cursor: first.cursor })
    await other.query('commit')
    await other.end()
    const third = await store.revocations({ withinMs: hour, cursor: second.cursor })
    const fourth = await store.revocations({ withinMs: hour, cursor: third.cursor })

    const ids = ({ revocations }: typeof first): unknown[] =>
      revocations.map((one) => 'sessionId' in one && one.sessionId).filter((id) => id === slow.id || id === quick.id)
    expect(ids(first)).toEqual([quick.id])
    expect(ids(third)).toContain(slow.id)
    expect(ids(fourth)).not.toContain(slow.id)
  })

  test('when a refresh meets a row that is locked, it decides on what the lock leaves behind', async () => {
    const store = open(0)
    const one = session('locked')
    await store.create(one)
    const winner = { ...one, successorHash: bytes(3), sealedSuccessor: bytes(4), replayMs: 20_000 }
    const loser = { ...winner, successorHash: bytes(5), sealedSuccessor: bytes(6) }
    const holder = await connect()
    await holder.query('begin')
    await holder.query('select from sessions where id = $1 for update', [one.id])
    const rotations = [store.rotate(winner), store.rotate(loser), store.rotate(loser)]
    const waiting = sql`select from pg_stat_activity where wait_event_type = 'Lock'`
    await expect.poll(async () => (await database.query(waiting)).length).toBe(3)
    await holder.query('commit')
    await holder.end()
    const results = await Promise.all(rotations)

    expect(results.map(({ outcome }) => outcome).toSorted()).toEqual(['replayed', 'replayed', 'rotated'])
    const sealed = results.flatMap((result) => ('sealedSuccessors' in result ? result.sealedSuccessors : []))
    expect(new Set(sealed.map((each) => Buffer.from(each).toString('hex'))).size).toBe(1)
  })

  test('when what is over is purged, its rows are gone, and those of revocations after a day', async () => {
    const store = open(0)
    const one = session('purged')
    await store.create(one)
    await store.end('purged', {})
    await (await Promise.resolve(open(26 * hour))).purge()

    expect(await database.query(sql`select from sessions where principal_id = 'purged'`)).toEqual([])
    expect(await database.query(sql`select from session_revocations where session_id = ${one.id}`)).toEqual([])
  })

  test('when the same session is used all day, its row does not grow', async () => {
    const store = open(0)
    const one = session('busy')
    await store.create(one)
    let tokenHash = one.tokenHash
    for (let round = 0; round < 50; round += 1) {
      const successorHash = new Uint8Array(32).fill(100 + round)
      await store.rotate({ ...one, tokenHash, successorHash, sealedSuccessor: bytes(4), replayMs: 20_000 })
      tokenHash = successorHash
    }
    const [row] = await database.query(
      sql`select jsonb_array_length(used_tokens) as tokens from sessions where principal_id = 'busy'`,
    )
    expect(row).toEqual({ tokens: 32 })
  })

  test('when somebody else notifies, nobody is harmed', async () => {
    const heard: unknown[] = []
    const store = open(0)
    const stop = await store.subscribe(
      (revocation) => heard.push(revocation),
      () => {},
    )
    for (const words of ['', '{', 'null', '[]', '{"at":"x"}', '{"at":1,"sessionId":{}}']) {
      await database.query(sql`select pg_notify('holdfast_session_revocations', ${words})`)
    }
    await store.outdate('ada')
    await expect.poll(() => heard).toMatchObject([{ principalId: 'ada' }])
    await stop()
  })
})

describe('given keys of machines in PostgreSQL', () => {
  const key = {
    id: 'k1',
    secretHash: bytes(7),
    principalId: 'robot',
    name: 'Nightly export',
    permissions: ['orders:read', 'it"s,{odd}'],
    expiresAt: Date.UTC(2030, 0, 1, 0, 0, 0, 123),
  }

  test('when one is made, it is found as it was made, and listed without its hash', async () => {
    const keys = createPostgresApiKeyStore(database)
    await keys.insert(key)
    await keys.insert({ ...key, id: 'k2', expiresAt: undefined, permissions: [] })
    const found = await keys.find('k1')

    expect(found).toEqual({ ...key, secretHash: Buffer.from(key.secretHash) })
    expect(await keys.find('k3')).toBeUndefined()
    const { secretHash: _, ...listed } = key
    expect(await keys.list('robot')).toEqual([listed, { ...listed, id: 'k2', expiresAt: undefined, permissions: [] }])
    expect(await keys.list('somebody')).toEqual([])
  })

  test('when it is revoked by its principal, it is gone; nobody else can', async () => {
    const keys = createPostgresApiKeyStore(database)
    await keys.insert({ ...key, id: 'k9', principalId: 'other' })

    expect(await keys.revoke('robot', 'k9')).toBe(false)
    expect(await keys.find('k9')).toBeDefined()
    expect(await keys.revoke('other', 'k9')).toBe(true)
    expect(await keys.revoke('other', 'k9')).toBe(false)
    expect(await keys.find('k9')).toBeUndefined()
    expect(await keys.list('other')).toEqual([])
  })

  test('when an id is taken, the second key is a conflict and the first one stays', async () => {
    const keys = createPostgresApiKeyStore(database)
    await keys.insert({ ...key, id: 'k5' })

    await expect(keys.insert({ ...key, id: 'k5', secretHash: bytes(8) })).rejects.toMatchObject({ kind: 'conflict' })
    expect((await keys.find('k5'))?.secretHash).toEqual(Buffer.from(key.secretHash))
  })
})

test('given a URL to listen on that is none, it is refused at once and not shown', () => {
  const make = (): unknown => createPostgresSessionStore(database, { listenUrl: 'ada:secret@db' })
  expect(make).toThrow(TypeError)
  expect(make).not.toThrow(/secret/)
})
