import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createAccessTokens } from '../../src/adapters/jose/access-tokens.ts'
import { createKeySet, generateKey } from '../../src/adapters/jose/key-set.ts'
import { createDatabase, type Database } from '../../src/adapters/postgres/database.ts'
import type { EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { createPostgresSessionStore } from '../../src/adapters/postgres/session-store.ts'
import { startEmbeddedRedis, type EmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { createRedis, type Redis } from '../../src/adapters/redis/redis.ts'
import { createRedisSessionStore } from '../../src/adapters/redis/session-store.ts'
import { createSessions } from '../../src/core/auth/create-sessions.ts'
import type { SecurityEvent } from '../../src/core/auth/security-event.ts'
import type { SessionStore } from '../../src/core/auth/session-store.ts'
import type { Sessions, SessionsOptions } from '../../src/core/auth/sessions.ts'
import { systemClock } from '../../src/foundation/clock.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import { administer, startSessionDatabase } from './database.ts'
import { codeOf } from './processes.ts'

let postgres: EmbeddedPostgres
let redis: EmbeddedRedis
let database: Database
let connection: Redis
const opened: Sessions[] = []
const keys = createKeySet({ keys: [generateKey()] })

beforeAll(async () => {
  postgres = await startSessionDatabase()
  redis = (await startEmbeddedRedis())!
  database = createDatabase({ url: postgres.url })
  connection = createRedis({ url: redis.url, commandTimeoutMs: 2000 })
}, 60_000)

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()))
})

afterAll(async () => {
  await database?.close()
  await connection?.close()
  await postgres?.stop()
  await redis?.stop()
})

type Kind = 'postgres' | 'redis'
type Rights = NonNullable<Awaited<ReturnType<SessionsOptions['findRights']>>>

const customer: Rights = { roles: ['customer'], permissions: ['orders:read'] }

function openStore(kind: Kind, shiftMs = 0): SessionStore {
  return kind === 'postgres'
    ? createPostgresSessionStore(database, { listenUrl: postgres.url, shiftMs })
    : createRedisSessionStore(connection, { shiftMs })
}

interface Setting extends Partial<SessionsOptions> {
  readonly shiftMs?: number
}

async function open(kind: Kind, { shiftMs, ...options }: Setting = {}) {
  const events: SecurityEvent[] = []
  const logger = createRecordingLogger()
  const tokens = createAccessTokens({
    issuer: 'https://shop.test',
    audience: 'shop',
    keys,
    clock: { ...systemClock, now: () => sessions.now() },
  })
  const sessions: Sessions = createSessions({
    store: openStore(kind, shiftMs),
    tokens,
    findRights: () => Promise.resolve(customer),
    onEvent: (event) => events.push(event),
    logger,
    ...options,
  })
  opened.push(sessions)
  await sessions.open()
  const enter = async (token: string) =>
    await sessions.authenticate({ authorization: `Bearer ${token}`, cookie: undefined })
  const typesOf = (): string[] => events.map(({ type }) => type)
  return { sessions, events, typesOf, enter, logger }
}

let people = 0
const somebody = (): string => `person-${(people += 1)}`

const refused = { kind: 'unauthenticated', code: 'auth.refresh_invalid' }
const thrownBy = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error as Error,
  )

describe.each<Kind>(['postgres', 'redis'])('given somebody who signs in, with sessions in %s', (kind) => {
  test('when a principal signs out, the session of its token ends and no other', async () => {
    const { sessions, enter, typesOf } = await open(kind)
    const id = somebody()
    const [phone, laptop] = [await sessions.start(id), await sessions.start(id)]
    const principal = (await enter(phone.accessToken))!

    expect(await sessions.signOut(principal)).toBe(true)
    await expect(enter(phone.accessToken)).rejects.toMatchObject({ code: 'auth.session_ended' })
    expect(await enter(laptop.accessToken)).toMatchObject({ id })
    expect(await sessions.signOut(principal)).toBe(false)
    expect(typesOf()).toEqual(['session.started', 'session.started', 'session.ended'])
  })

  test('when a refresh token is brought back, used or not, its session ends and no other', async () => {
    const { sessions, enter, typesOf } = await open(kind)
    const id = somebody()
    const [phone, laptop, other] = [await sessions.start(id), await sessions.start(id), await sessions.start(id)]
    await sessions.refresh(laptop.refreshToken)

    expect(await sessions.signOutByToken(phone.refreshToken)).toBe(true)
    expect(await sessions.signOutByToken(laptop.refreshToken)).toBe(true)
    for (const { accessToken } of [phone, laptop]) {
      await expect(enter(accessToken)).rejects.toMatchObject({ code: 'auth.session_ended' })
    }
    expect(await enter(other.accessToken)).toMatchObject({ id })
    for (const token of [phone.refreshToken, 'x', '']) expect(await sessions.signOutByToken(token)).toBe(false)
    expect(typesOf().filter((type) => type === 'session.ended')).toHaveLength(2)
  })

  test('when a principal without a session signs out, nothing ends', async () => {
    const { sessions } = await open(kind)
    const { session } = await sessions.start(somebody())
    const machine = { id: session.principalId, roles: [], permissions: [], keyId: 'a key' }

    expect(await sessions.signOut(machine)).toBe(false)
    expect(await sessions.signOut({ ...machine, id: somebody(), sessionId: session.id })).toBe(false)
    expect(await sessions.list(session.principalId)).toHaveLength(1)
  })

  test('when the access token is shown, it says who calls and by which session', async () => {
    const { sessions, enter, typesOf } = await open(kind)
    const id = somebody()
    const signedIn = await sessions.start(id, { label: 'Firefox on Linux' })

    expect(signedIn).toMatchObject({
      expiresInSeconds: 900,
      refreshExpiresInSeconds: 14 * 86_400,
      session: { principalId: id, label: 'Firefox on Linux' },
    })
    expect(await enter(signedIn.accessToken)).toEqual({ id, ...customer, sessionId: signedIn.session.id })
    expect(await sessions.list(id)).toEqual([signedIn.session])
    expect(typesOf()).toEqual(['session.started'])
  })

  test('when the token was verified lately, there is no promise to wait for', async () => {
    const { sessions, enter } = await open(kind)
    const { accessToken } = await sessions.start(somebody())
    await enter(accessToken)

    expect(sessions.authenticate({ authorization: `Bearer ${accessToken}`, cookie: undefined })).not.toBeInstanceOf(
      Promise,
    )
  })

  test('when nothing or a key of another kind is shown, it is left to others', async () => {
    const { sessions } = await open(kind)

    expect(sessions.authenticate({ authorization: undefined, cookie: 'a=1' })).toBeUndefined()
    expect(sessions.authenticate({ authorization: 'Bearer hfk_abc', cookie: undefined })).toBeUndefined()
  })

  test('when it refreshes, the next pair is good, and the one before gives the same again', async () => {
    const { sessions, enter, typesOf } = await open(kind)
    const id = somebody()
    const first = await sessions.start(id)
    const second = await sessions.refresh(first.refreshToken)
    const again = await sessions.refresh(first.refreshToken)
    const third = await sessions.refresh(second.refreshToken)
    const late = await sessions.refresh(first.refreshToken)

    expect(second.refreshToken).not.toBe(first.refreshToken)
    expect(again.refreshToken).toBe(second.refreshToken)
    expect(late.refreshToken).toBe(third.refreshToken)
    expect(await enter(third.accessToken)).toMatchObject({ id })
    expect(typesOf()).toEqual(['session.started'])
    expect(await sessions.list(id)).toHaveLength(1)
  })

  test('when it signs in on more devices than it may have, the ones unused for longest are signed out', async () => {
    const { sessions, enter, events } = await open(kind, { maxPerPrincipal: 3 })
    const [id, other] = [somebody(), somebody()]
    const elsewhere = await sessions.start(other)
    const first = await sessions.start(id)
    nextMillisecond()
    const second = await sessions.start(id)
    nextMillisecond()
    const third = await sessions.start(id)
    nextMillisecond()
    const used = await sessions.refresh(first.refreshToken)
    nextMillisecond()
    const fourth = await sessions.start(id)

    const kept = [fourth, first, third].map(({ session }) => session.id)
    expect((await sessions.list(id)).map((session) => session.id)).toEqual(kept)
    expect(await thrownBy(enter(second.accessToken))).toMatchObject({ code: 'auth.session_ended' })
    expect(await thrownBy(sessions.refresh(second.refreshToken))).toMatchObject(refused)
    expect(await enter(used.accessToken)).toMatchObject({ id })
    expect(await enter(elsewhere.accessToken)).toMatchObject({ id: other })
    expect(events.filter(({ type }) => type === 'session.ended')).toEqual([
      { type: 'session.ended', principalId: id, sessionId: second.session.id, detail: { reason: 'too_many' } },
    ])
  })

  test('when it signs in without end, at once, there are never many more than it may have', async () => {
    const { sessions } = await open(kind, { maxPerPrincipal: 5 })
    const id = somebody()
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(Array.from({ length: 10 }, () => sessions.start(id)))
      expect((await sessions.list(id)).length).toBeLessThanOrEqual(4 + 10)
    }
    await sessions.start(id)
    expect(await sessions.list(id)).toHaveLength(5)
  })

  test('when a used token comes back after the window, the session ends, and that is told once', async () => {
    const { sessions, enter } = await open(kind)
    const later = await open(kind, { shiftMs: 25_000 })
    const id = somebody()
    const first = await sessions.start(id)
    const second = await sessions.refresh(first.refreshToken)

    expect(await thrownBy(later.sessions.refresh(first.refreshToken))).toMatchObject(refused)
    expect(await thrownBy(later.sessions.refresh(first.refreshToken))).toMatchObject(refused)
    expect(await thrownBy(sessions.refresh(second.refreshToken))).toMatchObject(refused)
    expect(later.events).toEqual([{ type: 'session.reuse_detected', principalId: id, sessionId: first.session.id }])
    await expect.poll(() => codeOf(enter(second.accessToken))).toBe('auth.session_ended')
  })

  test('when a refresh is refused, for whatever reason, the words are the same', async () => {
    const { sessions } = await open(kind)
    const id = somebody()
    const { refreshToken } = await sessions.start(id)
    const ended = await sessions.start(id)
    await sessions.end(id, ended.session.id)
    const forged = `${refreshToken.slice(0, 26)}${'A'.repeat(64)}`
    const gone = await open(kind, { findRights: () => Promise.resolve(undefined) })
    const errors = [
      await thrownBy(sessions.refresh('')),
      await thrownBy(sessions.refresh('hfr_short')),
      await thrownBy(sessions.refresh(forged)),
      await thrownBy(sessions.refresh(ended.refreshToken)),
      await thrownBy(gone.sessions.refresh(refreshToken)),
    ]

    for (const error of errors) expect(error).toMatchObject(refused)
    expect(new Set(errors.map(({ message }) => message)).size).toBe(1)
    for (const { stack = '' } of errors) expect(stack).not.toContain('\n')
  })

  test('when a stranger knows the id of a session, a made-up token harms nobody', async () => {
    const { sessions, typesOf } = await open(kind)
    const { refreshToken } = await sessions.start(somebody())
    const forged = `${refreshToken.slice(0, 25)}${'B'.repeat(64)}A`

    expect(await thrownBy(sessions.refresh(forged))).toMatchObject(refused)
    await sessions.refresh(refreshToken)
    expect(typesOf()).toEqual(['session.started'])
  })

  test('when it signs out, both tokens are refused here and now', async () => {
    const { sessions, enter, events } = await open(kind)
    const id = somebody()
    const { accessToken, refreshToken, session } = await sessions.start(id)

    expect(await sessions.end(somebody(), session.id)).toBe(false)
    expect(await sessions.end(id, 'no-such-session')).toBe(false)
    expect(await enter(accessToken)).toBeDefined()
    expect(await sessions.end(id, session.id)).toBe(true)
    expect(await sessions.end(id, session.id)).toBe(false)
    expect(await codeOf(enter(accessToken))).toBe('auth.session_ended')
    expect(await codeOf(sessions.refresh(refreshToken))).toBe('auth.refresh_invalid')
    expect(events.at(-1)).toEqual({
      type: 'session.ended',
      principalId: id,
      sessionId: session.id,
      detail: { reason: 'asked' },
    })
  })

  test('when it signs out everywhere else, this session goes on', async () => {
    const { sessions, enter, events } = await open(kind)
    const id = somebody()
    const here = await sessions.start(id)
    const others = [await sessions.start(id), await sessions.start(id)]

    expect(await sessions.endAll(id, { except: here.session.id })).toBe(2)
    expect(events.at(-1)).toEqual({ type: 'session.all_ended', principalId: id, detail: { count: 2 } })
    expect(await enter(here.accessToken)).toBeDefined()
    for (const { accessToken } of others) expect(await codeOf(enter(accessToken))).toBe('auth.session_ended')
    expect(await sessions.endAll(id)).toBe(1)
    expect(await sessions.endAll(id)).toBe(0)
    expect(await codeOf(enter(here.accessToken))).toBe('auth.session_ended')
  })

  test('when its rights change, it refreshes and has the new ones', async () => {
    let rights: Rights = { roles: ['admin'], permissions: [] }
    const { sessions, enter, typesOf } = await open(kind, { findRights: () => Promise.resolve(rights) })
    const id = somebody()
    const { accessToken, refreshToken } = await sessions.start(id)
    rights = customer
    await sessions.outdate(id)

    expect(await codeOf(enter(accessToken))).toBe('auth.token_outdated')
    const refreshed = await sessions.refresh(refreshToken)
    expect(await enter(refreshed.accessToken)).toMatchObject(customer)
    expect(typesOf()).toEqual(['session.started', 'session.rights_outdated'])
  })

  test('when its rights change between their being read and the token, the token is stale from the start', async () => {
    let change = async (): Promise<void> => {}
    const findRights = async (): Promise<Rights> => {
      const read = { roles: ['admin'], permissions: [] }
      await change()
      return read
    }
    const { sessions, enter } = await open(kind, { findRights })
    const id = somebody()
    const before = await sessions.start(id)
    change = () => sessions.outdate(id)
    const started = await sessions.start(id)
    const refreshed = await sessions.refresh(before.refreshToken)

    expect(await codeOf(enter(started.accessToken))).toBe('auth.token_outdated')
    expect(await codeOf(enter(refreshed.accessToken))).toBe('auth.token_outdated')
  })

  test('when it is disabled, it neither signs in nor goes on', async () => {
    let rights: Rights | undefined = customer
    const { sessions, enter, events } = await open(kind, { findRights: () => Promise.resolve(rights) })
    const id = somebody()
    const { accessToken, refreshToken, session } = await sessions.start(id)
    rights = undefined

    expect(await thrownBy(sessions.refresh(refreshToken))).toMatchObject(refused)
    expect(await codeOf(enter(accessToken))).toBe('auth.session_ended')
    expect(events.at(-1)).toMatchObject({
      type: 'session.ended',
      sessionId: session.id,
      detail: { reason: 'rights_gone' },
    })
    expect(await thrownBy(sessions.start(id))).toMatchObject({ kind: 'unauthenticated' })
    expect(await sessions.list(id)).toEqual([])
  })

  test('when its rights cannot be read, nothing is used up and no session is left behind', async () => {
    let isDown = false
    const findRights = () =>
      isDown ? Promise.reject(new Error('the table of roles is locked')) : Promise.resolve(customer)
    const { sessions } = await open(kind, { findRights })
    const later = await open(kind, { shiftMs: 60_000 })
    const id = somebody()
    const { refreshToken } = await sessions.start(id)
    isDown = true
    await expect(sessions.refresh(refreshToken)).rejects.toThrow('locked')
    await expect(sessions.start(id)).rejects.toThrow('locked')

    expect(await sessions.list(id)).toHaveLength(1)
    expect((await later.sessions.refresh(refreshToken)).session.principalId).toBe(id)
  })

  test('when its browser calls itself odd things, they are cleaned; an id that is none is refused', async () => {
    const { sessions } = await open(kind)
    const id = somebody()
    const label = `\u0000Fire\u001b[31mfox\r\non \u202eLinux\u2028 ${'😀'.repeat(300)}`
    const { session } = await sessions.start(id, { label })

    expect(session.label).toMatch(/^Fire \[31mfox on {1,2}Linux/)
    expect(session.label.length).toBeLessThanOrEqual(200)
    expect(session.label.isWellFormed()).toBe(true)
    expect(await sessions.list(id)).toEqual([session])
    for (const before of ['', 'x']) {
      const { session: another } = await sessions.start(somebody(), { label: before + '😀'.repeat(500) })
      expect(another.label, 'no half of a character').toMatch(/^x?😀{99,100}$/u)
    }
    for (const wrong of ['', 'a\u0000b', 'a'.repeat(256), '\ud800', undefined as never]) {
      await expect(sessions.start(wrong)).rejects.toThrow(TypeError)
    }
  })

  test('when a listener to events fails, at once or later, nothing else does', async () => {
    const failures = [
      () => {
        throw new Error('at once')
      },
      (() => Promise.reject(new Error('later'))) as () => void,
    ]
    for (const onEvent of failures) {
      const { sessions, logger } = await open(kind, { onEvent })
      await sessions.start(somebody())
      await expect.poll(() => logger.lines.map(({ level }) => level)).toEqual(['error'])
    }
  })

  test('when all of this is over, the store has kept nothing that lets its reader sign in', async () => {
    const { sessions } = await open(kind)
    const id = somebody()
    const first = await sessions.start(id)
    const second = await sessions.refresh(first.refreshToken)
    const kept = await everythingIn(kind)

    expect(kept).toContain(id)
    for (const { refreshToken } of [first, second]) {
      const bytes = Buffer.from(refreshToken.slice(4), 'base64url')
      for (const secret of [bytes.subarray(16, 32), bytes.subarray(32, 64)]) {
        expect(kept).not.toContain(secret.toString('hex'))
        expect(kept).not.toContain(secret.toString('base64url'))
      }
      expect(kept).not.toContain(refreshToken.slice(30))
    }
  })
})

describe('given options that cannot be meant', () => {
  const tokens = createAccessTokens({ issuer: 'a', audience: 'b', keys })

  test.each([
    [{ idleSeconds: 0 }, /^idleSeconds is 0;/],
    [{ idleSeconds: 7200, lifetimeSeconds: 3600 }, /^idleSeconds is 7200;.* to 3600$/],
    [{ lifetimeSeconds: Infinity }, /lifetimeSeconds.*Infinity/],
    [{ replaySeconds: -1 }, /replaySeconds.*-1/],
    [{ replaySeconds: Number.NaN }, /replaySeconds.*NaN/],
    [{ syncMs: 0 }, /syncMs/],
    [{ maxPerPrincipal: 0 }, /^maxPerPrincipal is 0;.* 1 to 1000$/],
    [{ maxPerPrincipal: 1001 }, /^maxPerPrincipal is 1001;.* 1 to 1000$/],
    [{ syncMs: 30_000, maxStalenessSeconds: 30 }, /^maxStalenessSeconds is 30;.* 60 to/],
    [{ tokens: { ...tokens, lifetimeSeconds: 86_400 * 2 } }, /tokens.lifetimeSeconds/],
  ])('when they are %o, they are refused by name and value', (options, message) => {
    const all = { store: openStore('redis'), tokens, findRights: () => Promise.resolve(customer), ...options }
    expect(() => createSessions(all)).toThrow(RangeError)
    expect(() => createSessions(all)).toThrow(message)
  })
})

/** Redis dates uses by whole milliseconds, and lists those of the same one in no particular order. */
function nextMillisecond(): void {
  const now = Date.now()
  while (Date.now() === now);
}

async function everythingIn(kind: Kind): Promise<string> {
  if (kind === 'postgres') {
    const sessions = await administer(postgres.url, 'select s::text from sessions s')
    const revocations = await administer(postgres.url, 'select r::text from session_revocations r')
    return JSON.stringify([sessions.rows, revocations.rows])
  }
  const names = (await connection.command('KEYS', '*')) as string[]
  const hashes = names.filter((name) => name.includes(':one:'))
  return JSON.stringify([names, await Promise.all(hashes.map((name) => connection.command('HGETALL', name)))])
}
