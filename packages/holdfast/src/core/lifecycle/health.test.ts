import { describe, expect, test } from 'vitest'
import { createManualClock } from '../../testing/manual-clock.ts'
import { createHealth, type HealthCheck } from './health.ts'
import type { LifecycleState } from './lifecycle.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'

const bench = (checks: Record<string, HealthCheck>) => {
  const clock = createManualClock()
  const logger = createRecordingLogger()
  const service: { state: LifecycleState } = { state: 'ready' }
  const health = createHealth({ state: () => service.state, checks, clock, logger })
  return { clock, logger, service, health }
}

describe('given health checks', () => {
  test('when all pass and the service is ready, it is ready', async () => {
    const { health } = bench({ database: { check: () => 1 }, cache: { check: async () => {} } })
    expect(await health.readiness()).toEqual({ ready: true, checks: { database: 'up', cache: 'up' } })
  })

  test.each<[string, HealthCheck['check']]>([
    [
      'throws',
      () => {
        throw new Error('canary')
      },
    ],
    ['rejects', () => Promise.reject(new Error('canary'))],
    ['answers false', () => false],
  ])('when one %s, it is not ready, and the reason is in the log only', async (_name, check) => {
    const { health, logger } = bench({ database: { check }, cache: { check: () => true } })
    const readiness = await health.readiness()
    expect(readiness).toEqual({ ready: false, checks: { database: 'down', cache: 'up' } })
    expect(JSON.stringify(readiness)).not.toContain('canary')
    expect(logger.lines).toHaveLength(1)
    expect(logger.lines[0]).toMatchObject({ level: 'error', fields: { check: 'database', err: expect.any(Error) } })
  })

  test.each<[LifecycleState, boolean]>([
    ['starting', false],
    ['draining', false],
    ['stopped', false],
  ])('when the service is %s, it is live and not ready', async (state, ready) => {
    const { health, service } = bench({ database: { check: () => true } })
    service.state = state
    expect(health.isLive()).toBe(true)
    expect((await health.readiness()).ready).toBe(ready)
  })

  test('when a dependency is down, the service is live', async () => {
    const { health } = bench({ database: { check: () => false } })
    await health.readiness()
    expect(health.isLive()).toBe(true)
  })

  test('when the drain begins, the next answer is not ready, in spite of the cache, and asks no dependency', async () => {
    let asked = 0
    const { health, service, clock } = bench({ database: { check: () => ++asked } })
    expect((await health.readiness()).ready).toBe(true)
    service.state = 'draining'
    clock.advance(5000)
    expect(await health.readiness()).toEqual({ ready: false, checks: { database: 'up' } })
    expect(asked).toBe(1)
  })

  test('when the drain begins while checks run, the answer is not ready', async () => {
    const answer = Promise.withResolvers<void>()
    const { health, service } = bench({ database: { check: () => answer.promise } })
    const readiness = health.readiness()
    service.state = 'draining'
    answer.resolve()
    expect((await readiness).ready).toBe(false)
  })

  test('when probed often, the checks run once at a time and once per second', async () => {
    let asked = 0
    const { health, clock } = bench({ database: { check: async () => ++asked } })
    await Promise.all(Array.from({ length: 50 }, () => health.readiness()))
    clock.advance(999)
    await health.readiness()
    expect(asked).toBe(1)
    clock.advance(1)
    await Promise.all([health.readiness(), health.readiness()])
    expect(asked).toBe(2)
  })

  test('when a check hangs, it is down at its bound, its signal aborts, and it is not started twice', async () => {
    let asked = 0
    let signal: AbortSignal | undefined
    const answer = Promise.withResolvers<void>()
    const { health, clock, logger } = bench({
      database: {
        timeoutMs: 300,
        check: (given) => {
          asked++
          signal = given
          return answer.promise
        },
      },
    })
    const readiness = health.readiness()
    await clock.advanceAsync(300)
    expect((await readiness).checks).toEqual({ database: 'down' })
    expect(signal?.aborted).toBe(true)
    for (let n = 0; n < 5; n++) {
      await clock.advanceAsync(1000)
      expect((await health.readiness()).checks).toEqual({ database: 'down' })
    }
    expect(asked).toBe(1)
    expect(clock.pending).toBe(0)

    answer.resolve()
    await clock.advanceAsync(1000)
    expect((await health.readiness()).checks).toEqual({ database: 'up' })
    expect(logger.lines.map(({ message }) => message)).toEqual(['A dependency is down', 'A dependency is up again'])
  })

  test('when a dependency goes and comes back, each change is one line', async () => {
    let isUp = true
    const { health, clock, logger } = bench({ database: { check: () => isUp } })
    for (const next of [true, false, false, false, true, true, false]) {
      isUp = next
      await health.readiness()
      clock.advance(1000)
    }
    expect(logger.lines.map(({ level }) => level)).toEqual(['error', 'info', 'error'])
  })

  test('when the logger throws, the probe answers all the same', async () => {
    const refuse = (): never => {
      throw new Error('disk full')
    }
    const logger = { ...createRecordingLogger(), error: refuse }
    const health = createHealth({ state: () => 'ready', logger, checks: { database: { check: () => false } } })
    expect((await health.readiness()).ready).toBe(false)
  })

  test('when a duration is nonsense, it is refused', () => {
    expect(() => bench({ database: { check: () => 1, timeoutMs: Number.NaN } })).toThrow(RangeError)
    expect(() => createHealth({ state: () => 'ready', cacheMs: -1 })).toThrow(RangeError)
  })
})
