import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ServiceUnavailableError, UnauthorizedError } from '../../foundation/errors.ts'
import { createManualClock } from '../../testing/manual-clock.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import type { ApiKeyRecord, ApiKeyStore } from './api-key-store.ts'
import type { ApiKeysOptions } from './api-keys.ts'
import { firstOf } from './bearer.ts'
import { createApiKeys } from './create-api-keys.ts'
import type { Credentials } from './principal.ts'
import type { SecurityEvent } from './security-event.ts'

/** Keeps keys in memory, counts look-ups, and answers when told to. */
function createStore() {
  const records = new Map<string, ApiKeyRecord>()
  const state = { finds: 0, gate: Promise.resolve(), failure: undefined as Error | undefined }
  const store: ApiKeyStore = {
    insert: async (key) => void records.set(key.id, key),
    async find(id) {
      state.finds++
      const { failure } = state
      const record = records.get(id)
      await state.gate
      if (failure !== undefined) throw failure
      return record
    },
    list: async (principalId) =>
      [...records.values()]
        .filter((record) => record.principalId === principalId)
        .map(({ secretHash: _secretHash, ...record }) => record),
    async revoke(principalId, id) {
      return records.get(id)?.principalId === principalId && records.delete(id)
    },
  }
  return { store, records, state }
}

function createSubject(options: Partial<ApiKeysOptions> = {}) {
  const clock = createManualClock()
  const events: SecurityEvent[] = []
  const { store, records, state } = createStore()
  const keys = createApiKeys({ store, clock, onEvent: (event) => events.push(event), ...options })
  const judge = async (key: string): Promise<string> => {
    try {
      return (await keys.authenticate(bearer(key)))?.id ?? 'not of its kind'
    } catch (error) {
      if (error instanceof UnauthorizedError) return error.code
      throw error
    }
  }
  return { keys, store, records, state, clock, events, judge }
}

const bearer = (token: string): Credentials => ({ authorization: `Bearer ${token}`, cookie: undefined })
const request = { principalId: 'robot', name: 'nightly import', permissions: ['orders:write'] }
const jwt = 'eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl'
const randomId = (at: number): string => createHash('md5').update(String(at)).digest('base64url')
const secret = 'A'.repeat(43)

describe('given an issued key', () => {
  test('when it is shown, it makes the principal it was issued for', async () => {
    const { keys, clock } = createSubject()
    const { key, record } = await keys.issue({ ...request, expiresInSeconds: 60 })
    expect(key).toMatch(/^hfk_[\w-]{22}\.[\w-]{43}$/)
    expect(record).toEqual({ id: key.slice(4, 26), ...request, expiresAt: clock.now() + 60_000 })
    const principal = await keys.authenticate(bearer(key))
    expect(principal).toEqual({ id: 'robot', roles: [], permissions: ['orders:write'], keyId: record.id })
    expect([principal, principal?.roles, principal?.permissions].every((part) => Object.isFrozen(part))).toBe(true)
  })

  test('when it is stored, it is its hash that is stored, and the secret stands nowhere', async () => {
    const { keys, records, events } = createSubject()
    const { key, record } = await keys.issue(request)
    const text = key.split('.')[1]!
    expect(records.get(record.id)?.secretHash).toEqual(createHash('sha256').update(text).digest())
    expect(JSON.stringify([...records.values(), record, events, await keys.list('robot')])).not.toContain(text)
    expect(events).toEqual([{ type: 'api_key.issued', principalId: 'robot', detail: { keyId: record.id } }])
  })

  test('when two are issued, they have nothing in common', async () => {
    const { keys } = createSubject()
    const [a, b] = [await keys.issue(request), await keys.issue(request)]
    expect(a.record.id).not.toBe(b.record.id)
    expect(a.key.split('.')[1]).not.toBe(b.key.split('.')[1])
  })

  test('when it comes again, there is no look-up and no promise until its time is over', async () => {
    const { keys, state, clock } = createSubject()
    const { key } = await keys.issue(request)
    const principal = await keys.authenticate(bearer(key))
    clock.advance(29_999)
    expect(keys.authenticate(bearer(key))).toBe(principal)
    expect(state.finds).toBe(1)
    clock.advance(1)
    expect(keys.authenticate(bearer(key))).toBeInstanceOf(Promise)
    expect(state.finds).toBe(2)
  })

  test('when remembering is off, each call asks the store', async () => {
    const { keys, state } = createSubject({ cacheSeconds: 0 })
    const { key } = await keys.issue(request)
    for (let at = 0; at < 3; at++) await keys.authenticate(bearer(key))
    expect(state.finds).toBe(3)
  })

  test('when many calls bring it at once, one look-up serves them', async () => {
    const { keys, state } = createSubject()
    const { key } = await keys.issue(request)
    await Promise.all(Array.from({ length: 50 }, async () => keys.authenticate(bearer(key))))
    expect(state.finds).toBe(1)
  })

  test('when it ends, it is refused from that millisecond on, remembered or not', async () => {
    const { keys, clock, judge } = createSubject({ cacheSeconds: 3600 })
    const { key } = await keys.issue({ ...request, expiresInSeconds: 10 })
    clock.advance(9999)
    expect(await judge(key)).toBe('robot')
    clock.advance(1)
    expect(await judge(key)).toBe('auth.key_expired')
    expect(await judge(`${key.slice(0, -43)}${secret}`)).toBe('auth.key_invalid')
  })
})

describe('given keys whose owner has rights of its own', () => {
  test('when the owner loses a right, the key does; when the owner is gone, so is the key', async () => {
    let rights: { permissions: string[] } | undefined = { permissions: ['orders:write', 'orders:read'] }
    const { keys, clock } = createSubject({ findRights: () => Promise.resolve(rights) })
    const { key } = await keys.issue({ ...request, permissions: ['orders:write', 'reports:read'] })
    const permissions = async (): Promise<readonly string[] | undefined> =>
      (await keys.authenticate(bearer(key)))?.permissions
    expect(await permissions()).toEqual(['orders:write'])
    rights = { permissions: ['orders:read'] }
    clock.advance(30_000)
    expect(await permissions()).toEqual([])
    rights = undefined
    clock.advance(30_000)
    await expect(permissions()).rejects.toMatchObject({ code: 'auth.key_invalid' })
  })

  test('when its rights can not be read, nobody is told that the key is wrong', async () => {
    const { keys } = createSubject({ findRights: () => Promise.reject(new Error('no database')) })
    const { key } = await keys.issue(request)
    await expect(keys.authenticate(bearer(key))).rejects.toThrow('no database')
  })
})

describe('given a key that is revoked', () => {
  test('when all of its owner are, none is left and those of others go on', async () => {
    const { keys, judge } = createSubject()
    const [a, b] = [await keys.issue(request), await keys.issue(request)]
    const other = await keys.issue({ ...request, principalId: 'another robot' })
    expect(await keys.revokeAll('robot')).toBe(2)
    expect([await judge(a.key), await judge(b.key)]).toEqual(['auth.key_invalid', 'auth.key_invalid'])
    expect(await judge(other.key)).not.toContain('invalid')
  })

  test('when its owner has more than a list shows, all end', async () => {
    const { store, records } = createStore()
    const some = { ...store, list: async (id: string) => (await store.list(id)).slice(0, 2) }
    const keys = createApiKeys({ store: some })
    for (let issued = 0; issued < 5; issued += 1) await keys.issue(request)
    expect(await keys.revokeAll('robot')).toBe(5)
    expect(records.size).toBe(0)
  })

  test('when it was remembered here, it is refused at once', async () => {
    const { keys, judge, events } = createSubject()
    const { key, record } = await keys.issue(request)
    expect(await judge(key)).toBe('robot')
    expect(await keys.revoke('robot', record.id)).toBe(true)
    expect(await judge(key)).toBe('auth.key_invalid')
    expect(events.at(-1)).toEqual({ type: 'api_key.revoked', principalId: 'robot', detail: { keyId: record.id } })
    expect(await keys.revoke('robot', record.id)).toBe(false)
    expect(events).toHaveLength(2)
  })

  test('when its look-up was under way, what that read is not believed', async () => {
    const { keys, state, judge } = createSubject()
    const { key, record } = await keys.issue(request)
    const gate = Promise.withResolvers<void>()
    state.gate = gate.promise
    const answer = judge(key)
    await keys.revoke('robot', record.id)
    gate.resolve()
    expect(await answer).toBe('auth.key_invalid')
    expect(await judge(key)).toBe('auth.key_invalid')
  })

  test('when another process revoked it, it is refused as soon as it is remembered no more', async () => {
    const { keys, records, judge, clock } = createSubject()
    const { key, record } = await keys.issue(request)
    await judge(key)
    records.delete(record.id)
    clock.advance(29_999)
    expect(await judge(key)).toBe('robot')
    clock.advance(1)
    expect(await judge(key)).toBe('auth.key_invalid')
  })

  test('when somebody else asks for it, it stays', async () => {
    const { keys, judge } = createSubject()
    const { key, record } = await keys.issue(request)
    expect(await keys.revoke('eve', record.id)).toBe(false)
    expect(await judge(key)).toBe('robot')
  })
})

describe('given what is no key', () => {
  test('when the secret is wrong, it is refused, and costs one look-up however often it is tried', async () => {
    const { keys, state, judge } = createSubject()
    const { key } = await keys.issue(request)
    for (let at = 0; at < 50; at++)
      expect(await judge(`${key.slice(0, -44)}.${'A'.repeat(41)}${at % 10}A`)).toBe('auth.key_invalid')
    expect(state.finds).toBe(1)
    expect(await judge(key)).toBe('robot')
  })

  test('when an unknown id is tried again and again, it costs one look-up in five seconds', async () => {
    const { state, judge, clock } = createSubject()
    const unknown = `hfk_${randomId(1)}.${secret}`
    for (let at = 0; at < 50; at++) expect(await judge(unknown)).toBe('auth.key_invalid')
    expect(state.finds).toBe(1)
    clock.advance(5000)
    await judge(unknown)
    expect(state.finds).toBe(2)
  })

  test('when a flood of unknown ids comes, no key is displaced', async () => {
    const { keys, state, judge } = createSubject({ maxCached: 2 })
    const mine = [(await keys.issue(request)).key, (await keys.issue(request)).key]
    for (const key of mine) await judge(key)
    for (let at = 0; at < 100; at++) expect(await judge(`hfk_${randomId(at)}.${secret}`)).toBe('auth.key_invalid')
    const before = state.finds
    for (const key of mine) expect(await judge(key)).toBe('robot')
    expect(state.finds).toBe(before)
  })

  test('when more look-ups are under way than are bearable, the rest is told to come again, and then all is well', async () => {
    const { keys, state, judge } = createSubject()
    const { key } = await keys.issue(request)
    const gate = Promise.withResolvers<void>()
    state.gate = gate.promise
    const flood = Array.from({ length: 1000 }, (_, at) => judge(`hfk_${randomId(at)}.${secret}`))
    await expect(judge(key)).rejects.toThrow(ServiceUnavailableError)
    expect(state.finds).toBe(1000)
    gate.resolve()
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['auth.key_invalid']))
    expect(await judge(key)).toBe('robot')
  })

  test.each([
    'hfk_',
    'hfk_.',
    'hfk_abc',
    `hfk_${randomId(1)}`,
    `hfk_${randomId(1)}.`,
    `hfk_${randomId(1)}.${'A'.repeat(42)}`,
    `hfk_${randomId(1)}.${'A'.repeat(44)}`,
    // Another spelling of the same bytes.
    `hfk_${randomId(1)}.${'A'.repeat(42)}B`,
    `hfk_${'A'.repeat(21)}B.${secret}`,
    `hfk_${randomId(1)}.${'A'.repeat(100_000)}`,
    `hfk_${randomId(1)}.${'~'.repeat(43)}`,
  ])('when it is %.40s, it is refused without a look-up', async (text) => {
    const { state, judge } = createSubject()
    expect(await judge(text)).toBe('auth.key_invalid')
    expect(state.finds).toBe(0)
  })

  test.each([jwt, 'abc', 'HFK_abc.def', 'xhfk_abc.def', 'hfk', `hfk_${jwt}`])(
    'when it is %s, it is left to others',
    async (text) => {
      expect(await createSubject().judge(text)).toBe('not of its kind')
    },
  )

  test('when there is no header, nobody is there; when it is malformed, it is refused', () => {
    const { keys } = createSubject()
    expect(keys.authenticate({ authorization: undefined, cookie: undefined })).toBeUndefined()
    expect(() => keys.authenticate({ authorization: 'Basic YTpi', cookie: undefined })).toThrow(UnauthorizedError)
  })

  test('when keys and tokens are both taken, each goes its way', async () => {
    const { keys } = createSubject()
    const { key } = await keys.issue(request)
    const ada = { id: 'ada', roles: [], permissions: [] }
    const both = firstOf(keys.authenticate, () => ada)
    expect(await both(bearer(key))).toMatchObject({ id: 'robot' })
    expect(both(bearer(jwt))).toBe(ada)
    await expect(async () => both(bearer(`hfk_${randomId(3)}.${secret}`))).rejects.toThrow(UnauthorizedError)
  })

  test('when refused, the error has no stack and nothing of the key', async () => {
    const { keys } = createSubject()
    const { key } = await keys.issue(request)
    const wrong = `${key.slice(0, -43)}${secret}`
    const error = await Promise.resolve(keys.authenticate(bearer(wrong))).catch((thrown: unknown) => thrown)
    expect((error as Error).stack).not.toContain('\n    at ')
    expect(JSON.stringify(error) + String(error)).not.toContain(key.slice(4, 26))
  })
})

describe('given a store that fails', () => {
  test('when it is down, remembered keys go on, others fail as the store says, and nothing of it is remembered', async () => {
    const { keys, state, judge } = createSubject()
    const [a, b] = [(await keys.issue(request)).key, (await keys.issue(request)).key]
    await judge(a)
    state.failure = new ServiceUnavailableError('database.unavailable', 'down')
    expect(await judge(a)).toBe('robot')
    await expect(judge(b)).rejects.toThrow(ServiceUnavailableError)
    await expect(judge(b)).rejects.toThrow(ServiceUnavailableError)
    state.failure = undefined
    expect(await judge(b)).toBe('robot')
  })

  test('when a record is damaged, its key is refused', async () => {
    const { keys, records, judge } = createSubject()
    const { key, record } = await keys.issue(request)
    records.set(record.id, { ...records.get(record.id)!, secretHash: new Uint8Array(31) })
    expect(await judge(key)).toBe('auth.key_invalid')
  })

  test('when the listener to events fails, the key is issued and the log says so', async () => {
    const logger = createRecordingLogger()
    const { keys, judge } = createSubject({
      logger,
      onEvent: () => {
        throw new Error('no auditor')
      },
    })
    expect(await judge((await keys.issue(request)).key)).toBe('robot')
    expect(logger.lines).toHaveLength(1)
  })

  test('when that listener is asynchronous and fails, nothing is left unhandled', async () => {
    const logger = createRecordingLogger()
    const { keys } = createSubject({
      logger,
      onEvent: () => Promise.reject(new Error('no auditor')) as unknown as void,
    })
    await keys.issue(request)
    await new Promise((resolve) => setImmediate(resolve))
    expect(logger.lines).toHaveLength(1)
  })
})

describe('given what no key can be made of', () => {
  test.each<[string, object]>([
    ['principalId', { principalId: '' }],
    ['name', { name: '' }],
    ['name', { name: 'n'.repeat(201) }],
    ['permissions', { permissions: 'all' }],
    ['permissions', { permissions: [7] }],
    ['permissions', { permissions: Array.from({ length: 257 }, () => 'p') }],
    ['expiresInSeconds', { expiresInSeconds: 0 }],
    ['expiresInSeconds', { expiresInSeconds: Number.NaN }],
    ['expiresInSeconds', { expiresInSeconds: 1e12 }],
  ])('when %s is wrong, it is named and nothing is stored', async (name, wrong) => {
    const { keys, records } = createSubject()
    await expect(keys.issue({ ...request, ...wrong })).rejects.toThrow(new RegExp(`^${name} `))
    expect(records.size).toBe(0)
  })

  test.each<[string, object]>([
    ['prefix', { prefix: 'H' }],
    ['prefix', { prefix: 'a_b' }],
    ['prefix', { prefix: 'a.*' }],
    ['cacheSeconds', { cacheSeconds: -1 }],
    ['cacheSeconds', { cacheSeconds: Number.NaN }],
    ['maxCached', { maxCached: 0 }],
  ])('when the option %s is wrong, it is named at creation', (name, wrong) => {
    expect(() => createApiKeys({ store: createStore().store, ...wrong })).toThrow(new RegExp(`^${name} is `))
  })

  test('when another prefix is chosen, it is that one', async () => {
    const { keys, judge } = createSubject({ prefix: 'acme' })
    const { key } = await keys.issue(request)
    expect(key).toMatch(/^acme_/)
    expect(await judge(key)).toBe('robot')
    expect(await judge(key.replace('acme', 'hfk'))).toBe('not of its kind')
  })
})
