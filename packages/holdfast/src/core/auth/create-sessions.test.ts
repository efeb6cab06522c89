import { describe, expect, test } from 'vitest'
import { createManualClock } from '../../testing/manual-clock.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { createSessions } from './create-sessions.ts'
import type { SessionStore } from './session-store.ts'

const hour = 3_600_000

describe('given sessions that are open for days', () => {
  test('when what is over cannot be removed, it is tried again later, until they close', async () => {
    const clock = createManualClock()
    const logger = createRecordingLogger()
    let purges = 0
    const store = {
      subscribe: () => Promise.resolve(() => Promise.resolve()),
      revocations: () => Promise.resolve({ revocations: [], cursor: '', now: clock.now(), notBefore: 0 }),
      purge() {
        purges += 1
        return purges === 1 ? Promise.reject(new Error('gone')) : Promise.resolve(3)
      },
    } as unknown as SessionStore
    const tokens = { lifetimeSeconds: 900 } as never
    const findRights = (): Promise<undefined> => Promise.resolve(undefined)
    const sessions = createSessions({
      store,
      tokens,
      findRights,
      clock,
      logger,
      syncMs: 60_000,
      maxStalenessSeconds: 600,
    })
    await sessions.open()
    await clock.advanceAsync(20 * hour)

    expect(purges).toBeGreaterThan(12)
    expect(purges).toBeLessThanOrEqual(40)
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
    const before = purges
    await sessions.close()
    await clock.advanceAsync(20 * hour)
    expect({ purges, timers: clock.pending }).toEqual({ purges: before, timers: 0 })
  })
})
