import { readFileSync } from 'node:fs'
import { Pool } from 'pg'
import { createPasswordHasher, type PasswordHasherOptions } from '../../src/adapters/argon2/password-hasher.ts'
import { createAccessTokens } from '../../src/adapters/jose/access-tokens.ts'
import { createKeySet, generateKey } from '../../src/adapters/jose/key-set.ts'
import { createDatabase, type DatabaseStats } from '../../src/adapters/postgres/database.ts'
import type { DatabaseOptions } from '../../src/adapters/postgres/database-options.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { createTestDatabase } from '../../src/adapters/postgres/embedded/test-database.ts'
import { assertRowSecurity } from '../../src/adapters/postgres/row-security.ts'
import { createPostgresSessionStore } from '../../src/adapters/postgres/session-store.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { type EmbeddedRedis, startEmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { createRedisLimitStore } from '../../src/adapters/redis/limit-store.ts'
import { createRedis } from '../../src/adapters/redis/redis.ts'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { createSessions } from '../../src/core/auth/create-sessions.ts'
import type { PasswordHasher } from '../../src/core/auth/password-hasher.ts'
import type { Sessions } from '../../src/core/auth/sessions.ts'
import type { Http } from '../../src/core/http/http.ts'
import { ServiceUnavailableError } from '../../src/foundation/errors.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import type { StartEdge } from '../edges.ts'
import { Browser } from './browser.ts'
import { type Database, serviceRole, tables } from './repositories.ts'
import { compose, defaultParts, type Parts, type Service } from './service.ts'
import { shopTables } from './shop.ts'
import { nothingReceived, type Received, type Send, type Sent, sendTo } from './wire.ts'

/** The service as it is, but for what is listed here. */
export interface Variant {
  /** How the tables differ. */
  readonly ddl?: string
  /** Counts in Redis, as a service of several processes does. */
  readonly isShared?: boolean
  readonly hashing?: PasswordHasherOptions
  /** How the service connects to PostgreSQL. */
  readonly connects?: (options: DatabaseOptions) => DatabaseOptions
  /** Does not ask, before it serves, whether row-level security holds. */
  readonly startsUnchecked?: boolean
  readonly parts?: (parts: Parts, stores: Stores) => Parts
  readonly service?: (service: Service) => Service
  readonly http?: (http: Http, service: Service) => Http
  /** What befalls Redis in the middle of the attack. */
  readonly mishap?: (redis: EmbeddedRedis) => unknown
}

/** What careless parts are made with. */
export interface Stores {
  /** The database as the service has it. */
  readonly database: Database
  /** Connections whom neither row-level security nor rights hold for, and which take several statements in one text. */
  readonly pool: Pool
}

/** The later one has the last word, and is put around what the earlier one made. */
export const both = (first: Variant, second: Variant): Variant => ({
  ...first,
  ...second,
  ddl: `${first.ddl ?? ''};${second.ddl ?? ''}`,
  connects: (options) => apply(second.connects, apply(first.connects, options)),
  parts: (parts, stores) => apply(second.parts, apply(first.parts, parts, stores), stores),
  service: (service) => apply(second.service, apply(first.service, service)),
  http: (http, service) => apply(second.http, apply(first.http, http, service), service),
})

const apply = <T, Rest extends readonly unknown[]>(
  change: ((value: T, ...rest: Rest) => T) | undefined,
  value: T,
  ...rest: Rest
): T => change?.(value, ...rest) ?? value

export interface Person {
  readonly id: string
  readonly email: string
  /** What the `Authorization` header says of a call of theirs. */
  readonly bearer: string
}

const people = {
  /** Whose things the attacks are after. */
  ada: { id: '0a0a0a0a-0000-4000-8000-000000000001', role: 'member', permissions: ['notes:read', 'notes:write'] },
  /** Has an account like everybody's. */
  mallory: { id: '0a0a0a0a-0000-4000-8000-000000000002', role: 'member', permissions: ['notes:read', 'notes:write'] },
  /** Has signed in and may do nothing. */
  guest: { id: '0a0a0a0a-0000-4000-8000-000000000003', role: 'member', permissions: [] },
} as const
type Name = keyof typeof people

export const password = 'correct horse battery staple'
export const adasNote = '0b0b0b0b-0000-4000-8000-000000000001'
export const mallorysNote = '0b0b0b0b-0000-4000-8000-000000000002'
export const adasSharedNote = '0b0b0b0b-0000-4000-8000-000000000003'
/** Stands in Ada's note and nowhere else. */
export const adasSecret = 'the key is under the third stone'
const script = "<script>alert('owned')</script>"

/** What all attacks share: a database, sessions, people who are signed in. */
export interface Ground {
  readonly url: string
  readonly pool: Pool
  readonly sessions: Sessions
  readonly people: Readonly<Record<Name, Person>>
  readonly seed: () => Promise<void>
  stop(): Promise<void>
}

const cheap: PasswordHasherOptions = { memoryKiB: 8, iterations: 1 }
const sessionTables = readFileSync(new URL('../../sql/sessions.sql', import.meta.url), 'utf8')

export async function prepareGround(): Promise<Ground> {
  const server = await startEmbeddedPostgres()
  const { url } = await createTestDatabase({ adminUrl: server.url })
  const database = createDatabase({ url })
  const pool = new Pool({ connectionString: url, max: 4 })
  // A connection on its way out may hear that the server is, too.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', () => {})
  const passwordHash = await createPasswordHasher(cheap).hash(password)
  const seed = async (): Promise<void> => {
    await pool.query(tables + shopTables + forgetShadows)
    for (const [name, { id, role, permissions }] of Object.entries(people)) {
      await pool.query('insert into accounts values ($1, $2, $3, $4, $5)', [
        id,
        emailOf(name),
        passwordHash,
        role,
        permissions,
      ])
    }
    await pool.query(`insert into notes values ($1, $2, 'Spare key', $3, 'home', false)`, [
      adasNote,
      people.ada.id,
      adasSecret,
    ])
    await pool.query(
      `insert into notes values ($1, $2, 'Look here', $3, 'home', true), (default, $2, 'About', '', 'work', false)`,
      [mallorysNote, people.mallory.id, script],
    )
    await pool.query(`insert into notes values ($1, $2, 'Open house', 'On Sunday', 'home', true)`, [
      adasSharedNote,
      people.ada.id,
    ])
  }
  await pool.query(`create role ${serviceRole} nologin`)
  await pool.query(sessionTables)
  await seed()
  const sessions = openSessions(database)
  await sessions.open()
  const signIn = async (name: string): Promise<Person> => {
    const { id } = people[name as Name]
    return { id, email: emailOf(name), bearer: `Bearer ${(await sessions.start(id)).accessToken}` }
  }
  return {
    url,
    pool,
    sessions,
    seed,
    people: { ada: await signIn('ada'), mallory: await signIn('mallory'), guest: await signIn('guest') },
    async stop() {
      await sessions.close()
      await Promise.all([database.close(), pool.end()])
      await server.stop()
    },
  }
}

/** Of functions that a variant puts before those of PostgreSQL, for connections that are opened from then on. */
const forgetShadows = `
drop schema if exists careless cascade;
do $$ begin execute format('alter database %I reset search_path', current_database()); end $$;`

const emailOf = (name: string): string => `${name}@notes.example`

function openSessions(database: Database): Sessions {
  const keys = createKeySet({ keys: [generateKey()] })
  return createSessions({
    store: createPostgresSessionStore(database),
    tokens: createAccessTokens({ issuer: 'https://api.notes.example', audience: 'notes', keys }),
    findRights: (id) =>
      database.maybeOne(
        sql`select role, permissions from accounts where id = ${id}`,
        ({ role, permissions }: { readonly role: string; readonly permissions: readonly string[] }) => ({
          roles: [role],
          permissions,
        }),
      ),
  })
}

export interface Exchanged {
  readonly sent: Sent
  readonly received: Received
}

/** One service on one edge, for one attack. */
export interface Lab extends Pick<Ground, 'people' | 'pool'> {
  readonly send: Send
  readonly newBrowser: () => Browser
  /** Every reply there was, with what had been asked. */
  readonly replies: readonly Exchanged[]
  /** The most passwords that were in hand at once, judged or waiting to be. */
  readonly mostJudgedAtOnce: () => number
  /** Whether limits are counted in Redis at this moment. */
  readonly isCountedInRedis: () => boolean
  /** Connections of the service to PostgreSQL, and who waits for one. */
  readonly connections: () => DatabaseStats
  /** Whether a defect was logged. */
  readonly isDefectLogged: () => boolean
  /** Lets happen to Redis what is to happen to it. */
  readonly mishap: () => Promise<void>
  /** All that is stored and not the attackers' own. */
  readonly othersRows: () => Promise<unknown>
  stop(): Promise<void>
}

export async function startLab(ground: Ground, start: StartEdge, variant: Variant): Promise<Lab> {
  const { pool, sessions } = ground
  await ground.seed()
  if (variant.ddl !== undefined) await pool.query(variant.ddl)
  const database = createDatabase(apply(variant.connects, optionsFor(ground.url)))
  const shared = variant.isShared === true ? await openRedis() : undefined
  const watched = watch(createPasswordHasher(variant.hashing ?? cheap))
  const logger = createRecordingLogger()
  const usual = {
    ...defaultParts(database, { hasher: watched.hasher, sessions, logger }),
    ...(shared === undefined ? {} : { limitStore: shared.store }),
  }
  const service = apply(variant.service, compose(apply(variant.parts, usual, { database, pool })))
  const http = apply(variant.http, createHttp(service.routes, service.options), service)
  const isSecured = variant.startsUnchecked === true || (await isRowSecurityFound(database))
  const edge = isSecured ? await start(http) : undefined
  const replies: Exchanged[] = []
  const send: Send = async (sent) => {
    if (edge === undefined) return nothingReceived
    const received = await sendTo(edge.url)(sent)
    replies.push({ sent, received })
    return received
  }
  return {
    people: ground.people,
    pool,
    send,
    newBrowser: () => new Browser(send),
    replies,
    mostJudgedAtOnce: watched.mostAtOnce,
    isCountedInRedis: () => service.options.limiter?.isShared === true,
    connections: () => database.stats(),
    isDefectLogged: () => logger.lines.some(({ level }) => level === 'error'),
    mishap: async () => void (shared && (await variant.mishap?.(shared.redis))),
    othersRows: () => othersRows(pool),
    async stop() {
      await edge?.stop()
      await Promise.all([database.close(), shared?.stop()])
    },
  }
}

const optionsFor = (url: string): DatabaseOptions => ({
  url,
  role: serviceRole,
  maxConnections: 4,
  workloads: { reporting: { maxConnections: 1, maxWaiting: 2 } },
  // Longer than in production: that a machine is busy is not what these tests are about.
  connectionTimeoutMs: 10_000,
  lockTimeoutMs: 10_000,
})

async function isRowSecurityFound(database: Database): Promise<boolean> {
  try {
    await assertRowSecurity(database, ['notes'])
    return true
  } catch (thrown) {
    if (thrown instanceof Error && thrown.message.startsWith('Row-level security does not')) return false
    throw thrown
  }
}

async function openRedis() {
  const redis = await startEmbeddedRedis()
  if (redis === undefined) throw new Error('There is no redis-server on PATH')
  const connection = createRedis({ url: redis.url, commandTimeoutMs: 1000 })
  await connection.check()
  return {
    redis,
    store: createRedisLimitStore(connection),
    stop: async () => {
      await connection.close()
      await redis.stop()
    },
  }
}

/** Notes when each password came to be judged and when it had been; those that were turned away do not count. */
function watch(hasher: PasswordHasher) {
  const judged: { readonly from: number; to: number }[] = []
  let at = 0
  const verify: PasswordHasher['verify'] = async (hash, guess) => {
    const one = { from: (at += 1), to: Infinity }
    judged.push(one)
    try {
      return await hasher.verify(hash, guess)
    } catch (error) {
      if (error instanceof ServiceUnavailableError) judged.splice(judged.indexOf(one), 1)
      throw error
    } finally {
      one.to = at += 1
    }
  }
  const mostAtOnce = (): number =>
    Math.max(0, ...judged.map(({ from }) => judged.filter((other) => other.from <= from && from < other.to).length))
  return { hasher: { ...hasher, verify }, mostAtOnce }
}

async function othersRows(pool: Pool): Promise<unknown> {
  const attackers = [people.mallory.id, people.guest.id]
  const known = Object.keys(people).map(emailOf)
  const accounts = 'select * from accounts where email = any ($1) order by id'
  const notes = 'select * from notes where owner_id <> all ($1) order by id'
  return [(await pool.query(accounts, [known])).rows, (await pool.query(notes, [attackers])).rows]
}
