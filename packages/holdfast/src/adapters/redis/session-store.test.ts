import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionStore } from '../../core/auth/session-store.ts'
import { sessionStoreSuite } from '../../testing/session-store-suite.ts'
import { startEmbeddedRedis, type EmbeddedRedis } from './embedded/embedded-redis.ts'
import { createRedis, type Redis } from './redis.ts'
import { createRedisSessionStore } from './session-store.ts'

let server: EmbeddedRedis | undefined
let redis: Redis
const connections: Redis[] = []

function connect(): Redis {
  const one = createRedis({ url: server!.url, keyPrefix: 'shop:', commandTimeoutMs: 2000 })
  connections.push(one)
  return one
}

const open = (shiftMs: number): SessionStore => createRedisSessionStore(connect(), { shiftMs })

beforeAll(async () => {
  server = await startEmbeddedRedis()
  redis = connect()
}, 60_000)

afterAll(async () => {
  await Promise.all(connections.map((one) => one.close()))
  await server?.stop()
})

const hour = 3_600_000
const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const session = (id: string) => ({
  id,
  sessionId: id,
  principalId: 'ada',
  label: '',
  familyHash: bytes(1),
  tokenHash: bytes(2),
  idleMs: hour,
  lifetimeMs: 2 * hour,
})

describe('given sessions in Redis', () => {
  test.each(sessionStoreSuite({ open }))('$name', async ({ run }) => {
    expect(await run()).toBeUndefined()
  })
})

describe('given a Redis that loses its memory', () => {
  test('when it was emptied, what was issued before is told apart, however soon somebody signs in again', async () => {
    const store = open(0)
    await store.create(session('a'))
    const before = await store.revocations({ withinMs: hour })
    await new Promise((resolve) => setTimeout(resolve, 5))
    await redis.command('FLUSHALL')
    const again = await store.create(session('b'))
    const after = await store.revocations({ withinMs: hour, cursor: before.cursor })
    const found = await store.find(session('b'))

    expect(await store.find(session('a'))).toBeUndefined()
    expect(after.notBefore).toBeGreaterThan(before.notBefore)
    expect(after.notBefore).toBeLessThanOrEqual(again.createdAt)
    expect(found?.now).toBeGreaterThanOrEqual(after.notBefore)
  })

  test('when it was emptied and revoked more since than before, a reader from before misses nothing', async () => {
    const store = open(0)
    await store.create(session('a'))
    await store.end('ada', {})
    const before = await store.revocations({ withinMs: hour })
    await redis.command('FLUSHALL')
    await new Promise((resolve) => setTimeout(resolve, 5))
    await store.create(session('b'))
    await store.end('ada', {})
    const after = await store.revocations({ withinMs: hour, cursor: before.cursor })

    expect(after.revocations).toMatchObject([{ sessionId: 'b' }])
  })

  test('when only the revocations were evicted, that is noticed', async () => {
    const store = open(0)
    await store.create(session('a'))
    await store.end('ada', {})
    const before = await store.revocations({ withinMs: hour })
    await new Promise((resolve) => setTimeout(resolve, 5))
    await redis.command('DEL', redis.key('{sessions}:revoked'))
    const after = await store.revocations({ withinMs: hour, cursor: before.cursor })
    const later = await store.revocations({ withinMs: hour, cursor: after.cursor })

    expect(after.notBefore).toBeGreaterThan(before.notBefore)
    expect(later.notBefore).toBe(after.notBefore)
  })

  test('when a session, its principal and an end have been there, every key has an end', async () => {
    await redis.command('FLUSHALL')
    const store = open(0)
    await store.create(session('a'))
    await store.create(session('b'))
    await store.rotate({
      ...session('a'),
      successorHash: bytes(3),
      sealedSuccessor: bytes(4),
      replayMs: 1000,
    })
    await store.end('ada', { only: 'b' })
    await store.outdate('ada')
    await store.revocations({ withinMs: hour })
    const keys = (await redis.command('KEYS', '*')) as string[]

    expect(keys.toSorted()).toEqual([
      'shop:{sessions}:of:ada',
      'shop:{sessions}:one:a',
      'shop:{sessions}:revoked',
      'shop:{sessions}:state',
    ])
    for (const key of keys) expect(await redis.command('PTTL', key), key).toBeGreaterThan(1000)
  })

  test('when more was revoked than a page holds, all of it is read', async () => {
    await redis.command('FLUSHALL')
    const store = open(0)
    for (let from = 0; from < 11_000; from += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, index) => store.outdate(`p${from + index}`)))
    }
    const { revocations, cursor } = await store.revocations({ withinMs: hour })

    expect(new Set(revocations.map((one) => 'principalId' in one && one.principalId)).size).toBe(11_000)
    expect((await store.revocations({ withinMs: hour, cursor })).revocations).toEqual([])
  })

  test('when somebody else speaks on the channel, nobody is harmed', async () => {
    const heard: unknown[] = []
    const store = open(0)
    const stop = await store.subscribe(
      (revocation) => heard.push(revocation),
      () => {},
    )
    for (const words of ['', 'hello', 's:x:y', 's:1:', '{"sessionId":1}'])
      await redis.publish('sessions:revoked', words)
    await store.outdate('ada')
    await expect.poll(() => heard).toMatchObject([{ principalId: 'ada' }])
    await stop()
  })
})
