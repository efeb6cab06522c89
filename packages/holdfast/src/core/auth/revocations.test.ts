import { describe, expect, test } from 'vitest'
import type { Clock } from '../../foundation/clock.ts'
import { createManualClock, type ManualClock } from '../../testing/manual-clock.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { Revocations } from './revocations.ts'
import type { Revocation, RevocationBatch } from './session-store.ts'

const minute = 60_000
const tokenLifetimeMs = 15 * minute
const storeEpoch = Date.UTC(2030, 5, 1)

/** A store whose answers are given by hand. Its clock is years away from that of the process, and never steps. */
function createStoreByHand(clock: Clock) {
  const asked: { readonly withinMs: number; readonly cursor?: string | undefined }[] = []
  const listeners = { onRevoked: (() => {}) as (revocation: Revocation) => void, onGap: () => {} }
  const store = {
    asked,
    listeners,
    stopped: 0,
    now: () => storeEpoch + clock.elapsed(),
    answer: (): Promise<RevocationBatch> => Promise.resolve(store.batch()),
    batch: (parts: Partial<RevocationBatch> = {}): RevocationBatch => ({
      revocations: [],
      cursor: `c${asked.length}`,
      now: store.now(),
      notBefore: 0,
      ...parts,
    }),
    revocations(options: { readonly withinMs: number; readonly cursor?: string | undefined }) {
      asked.push(options)
      return store.answer()
    },
    subscribe(onRevoked: (revocation: Revocation) => void, onGap: () => void) {
      Object.assign(listeners, { onRevoked, onGap })
      return Promise.resolve(() => {
        store.stopped += 1
        return Promise.resolve()
      })
    },
  }
  return store
}

/** A clock whose date is moved apart from its durations, as an operator or NTP does. */
function withDate(clock: ManualClock): Clock & { stepMs: number } {
  return {
    stepMs: 0,
    now() {
      return clock.now() + this.stepMs
    },
    elapsed: () => clock.elapsed(),
    schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
  }
}

async function opened() {
  const clock = createManualClock()
  const dated = withDate(clock)
  const store = createStoreByHand(clock)
  const logger = createRecordingLogger()
  const options = { store, tokenLifetimeMs, syncMs: 5000, maxStalenessMs: minute, logger, clock: dated }
  const revocations = new Revocations(options)
  await revocations.open()
  const token = (sessionId: string, issuedAt = store.now(), principalId = 'ada') => ({
    principalId,
    sessionId,
    roles: [],
    permissions: [],
    issuedAt,
    expiresAt: issuedAt + tokenLifetimeMs,
  })
  const codeOf = (claims: ReturnType<typeof token>): string | undefined => {
    try {
      revocations.assertGood(claims)
      return undefined
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  return { clock, dated, store, logger, revocations, token, codeOf, options }
}

describe('given a process that knows what was revoked', () => {
  test('when nothing was, tokens are good', async () => {
    const { token, codeOf } = await opened()
    expect(codeOf(token('one'))).toBeUndefined()
  })

  test('when a session ends, all its tokens are refused, also ones that are newer, and no others', async () => {
    const { clock, store, token, codeOf } = await opened()
    store.listeners.onRevoked({ sessionId: 'one', at: store.now() })
    clock.advance(10)

    expect(codeOf(token('one'))).toBe('auth.session_ended')
    expect(codeOf(token('two'))).toBeUndefined()
  })

  test('when roles change, tokens issued until then are refused and later ones are good', async () => {
    const { store, token, codeOf } = await opened()
    const at = store.now()
    store.listeners.onRevoked({ principalId: 'ada', at })

    expect(codeOf(token('one', at - 1))).toBe('auth.token_outdated')
    expect(codeOf(token('one', at))).toBe('auth.token_outdated')
    expect(codeOf(token('one', at + 1))).toBeUndefined()
    expect(codeOf(token('one', at - 1, 'bob'))).toBeUndefined()
    store.listeners.onRevoked({ principalId: 'ada', at: at - 500 })
    expect(codeOf(token('one', at))).toBe('auth.token_outdated')
  })

  test('when a read brings what the bus did not, it counts as well', async () => {
    const { clock, store, token, codeOf } = await opened()
    store.answer = () => Promise.resolve(store.batch({ revocations: [{ sessionId: 'one', at: store.now() }] }))
    await clock.advanceAsync(5000)

    expect(codeOf(token('one'))).toBe('auth.session_ended')
    expect(store.asked.map(({ cursor }) => cursor)).toEqual([undefined, 'c1'])
  })

  test('when the store lost its memory, tokens from before are refused', async () => {
    const { clock, store, token, codeOf } = await opened()
    const before = token('one')
    await clock.advanceAsync(1000)
    const notBefore = store.now()
    store.answer = () => Promise.resolve(store.batch({ notBefore }))
    await clock.advanceAsync(5000)

    expect(codeOf(before)).toBe('auth.session_ended')
    expect(codeOf(token('one', notBefore))).toBeUndefined()
    // As it comes out of a JWT, whose seconds have fractions.
    expect(codeOf(token('one', notBefore - 0.0002))).toBeUndefined()
  })

  test('when no token can be left, revocations are forgotten, and not before', async () => {
    const { clock, store, revocations, token, codeOf } = await opened()
    const issuedAt = store.now()
    for (let index = 0; index < 1000; index += 1) store.listeners.onRevoked({ sessionId: `s${index}`, at: store.now() })
    store.listeners.onRevoked({ principalId: 'ada', at: store.now() })
    expect(revocations.size).toBe(1001)

    await clock.advanceAsync(tokenLifetimeMs + minute)
    expect(revocations.size).toBe(1001)
    expect(codeOf(token('s1', issuedAt))).toBe('auth.session_ended')
    await clock.advanceAsync(5001)
    expect(revocations.size).toBe(0)
  })

  test('when reads repeat a revocation for hours, it is forgotten all the same', async () => {
    const { clock, store, revocations } = await opened()
    const at = store.now()
    store.answer = () =>
      Promise.resolve(store.batch({ revocations: at > store.now() - 16 * minute ? [{ sessionId: 'one', at }] : [] }))
    await clock.advanceAsync(40 * minute)

    expect(revocations.size).toBe(0)
  })

  test('when a token looks good for longer than any lives, it is refused: what ended it may be forgotten', async () => {
    const { clock, store, token, codeOf } = await opened()
    const issuedAt = store.now()
    await clock.advanceAsync(tokenLifetimeMs + minute - 100)
    expect(codeOf(token('one', issuedAt))).toBeUndefined()
    await clock.advanceAsync(200)
    expect(codeOf(token('one', issuedAt))).toBe('auth.token_outdated')
  })
})

describe('given a date that is stepped by an hour', () => {
  test.each([3_600_000, -3_600_000])('when it moves by %i ms, every comparison comes out as before', async (stepMs) => {
    const { clock, dated, store, revocations, token, codeOf } = await opened()
    const before = token('one')
    dated.stepMs = stepMs
    await clock.advanceAsync(10)
    const at = store.now()
    store.listeners.onRevoked({ principalId: 'bob', at })
    await clock.advanceAsync(10)

    expect(codeOf(before)).toBeUndefined()
    expect(codeOf(token('two', store.now(), 'bob'))).toBeUndefined()
    expect(codeOf(token('two', at - 1, 'bob'))).toBe('auth.token_outdated')
    expect(revocations.now()).toBe(store.now())
  })

  test('when the store says its time late, ours is behind it and never ahead', async () => {
    const { clock, store, revocations } = await opened()
    store.answer = async () => {
      const batch = store.batch()
      await new Promise<void>((resolve) => clock.schedule(800, resolve))
      return batch
    }
    await clock.advanceAsync(200_000)

    expect(revocations.now()).toBeLessThanOrEqual(store.now())
    expect(revocations.now()).toBeGreaterThanOrEqual(store.now() - 800)
  })

  test('when the store itself is stepped, we follow', async () => {
    const { clock, store, revocations } = await opened()
    const { now } = store
    store.now = () => now() + 3_600_000
    await clock.advanceAsync(5000)
    expect(revocations.now()).toBe(store.now())
    store.now = () => now() - 3_600_000
    await clock.advanceAsync(70_000)
    expect(revocations.now()).toBe(store.now())
  })
})

describe('given a store that cannot be asked', () => {
  test('when nothing was read yet, no token is believed', async () => {
    const { token, options } = await opened()
    const fresh = new Revocations(options)
    expect(() => fresh.assertGood(token('one'))).toThrow(
      expect.objectContaining({ kind: 'unavailable', code: 'auth.revocations_unknown', retryAfterSeconds: 1 }),
    )
  })

  test('when reads fail for too long, tokens are refused with 503, until one succeeds', async () => {
    const { clock, store, logger, token, codeOf } = await opened()
    store.answer = () => Promise.reject(new Error('gone'))
    await clock.advanceAsync(minute)
    expect(codeOf(token('one'))).toBeUndefined()
    await clock.advanceAsync(1)
    expect(codeOf(token('one'))).toBe('auth.revocations_unknown')
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn'])

    store.answer = () => Promise.resolve(store.batch())
    await clock.advanceAsync(1000)
    expect(codeOf(token('one'))).toBeUndefined()
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn', 'info'])
  })

  test('when it takes a read and says nothing, another one is made', async () => {
    const { clock, store, token, codeOf } = await opened()
    store.answer = () => new Promise(() => {})
    await clock.advanceAsync(30_000)
    expect(store.asked.length).toBeGreaterThan(2)
    await clock.advanceAsync(60_000)
    expect(codeOf(token('one'))).toBe('auth.revocations_unknown')
    store.answer = () => Promise.resolve(store.batch())
    await clock.advanceAsync(21_000)
    expect(codeOf(token('one'))).toBeUndefined()
  })

  test('when an answer comes late, it vouches for the time it was asked, not for the time it came', async () => {
    const { clock, store, token, codeOf } = await opened()
    let answer = (): void => {}
    store.answer = () => new Promise((resolve) => (answer = () => resolve(store.batch())))
    await clock.advanceAsync(5000)
    await clock.advanceAsync(19_000)
    answer()
    store.answer = () => Promise.reject(new Error('gone'))
    await clock.advanceAsync(minute - 19_000)
    expect(codeOf(token('one'))).toBeUndefined()
    await clock.advanceAsync(1)
    expect(codeOf(token('one'))).toBe('auth.revocations_unknown')
  })

  test('when a read failed, the next one begins anew: the cursor may mean nothing to a store that was restored', async () => {
    const { clock, store } = await opened()
    store.answer = () => Promise.reject(new Error('gone'))
    await clock.advanceAsync(5000)
    store.answer = () => Promise.resolve(store.batch())
    await clock.advanceAsync(1000)

    expect(store.asked.map(({ cursor }) => cursor)).toEqual([undefined, 'c1', undefined])
  })

  test('when messages were lost, everything is read at once and anew', async () => {
    const { clock, store, token, codeOf } = await opened()
    store.answer = () => Promise.resolve(store.batch({ revocations: [{ sessionId: 'one', at: store.now() }] }))
    store.listeners.onGap()
    await clock.advanceAsync(0)

    expect(store.asked.map(({ cursor }) => cursor)).toEqual([undefined, undefined])
    expect(codeOf(token('one'))).toBe('auth.session_ended')
  })

  test('when messages were lost during a read, that one is not taken for an answer', async () => {
    const { clock, store } = await opened()
    let answer = (): void => {}
    store.answer = () => new Promise((resolve) => (answer = () => resolve(store.batch())))
    await clock.advanceAsync(5000)
    store.listeners.onGap()
    store.answer = () => Promise.resolve(store.batch())
    answer()
    await clock.advanceAsync(0)

    expect(store.asked.map(({ cursor }) => cursor)).toEqual([undefined, 'c1', undefined])
  })

  test('when it cannot be opened, it can be tried again, and nothing is left behind', async () => {
    const { clock, store, options } = await opened()
    const timers = clock.pending
    const revocations = new Revocations(options)
    store.answer = () => Promise.reject(new Error('gone'))
    await expect(revocations.open()).rejects.toThrow('gone')
    expect({ stopped: store.stopped, timers: clock.pending }).toEqual({ stopped: 1, timers })
    store.answer = () => Promise.resolve(store.batch())
    await revocations.open()
    await revocations.close()
    expect({ stopped: store.stopped, timers: clock.pending }).toEqual({ stopped: 2, timers })
  })
})

describe('given a process that stops', () => {
  test('when it closes, also in the middle of a read, no timer is left', async () => {
    const { clock, store, revocations } = await opened()
    let answer = (): void => {}
    store.answer = () => new Promise((resolve) => (answer = () => resolve(store.batch())))
    await clock.advanceAsync(5000)
    await revocations.close()
    answer()
    await clock.advanceAsync(0)
    await clock.advanceAsync(60_000)

    expect(clock.pending).toBe(0)
    expect(store.stopped).toBe(1)
    expect(store.asked).toHaveLength(2)
  })
})
