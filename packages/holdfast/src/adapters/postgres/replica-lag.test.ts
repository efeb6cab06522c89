import { describe, expect, test } from 'vitest'
import { createManualClock } from '../../testing/manual-clock.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { ReplicaLag } from './replica-lag.ts'

const longAgo = Number.NEGATIVE_INFINITY

/** A primary and its replica, whose logs are numbers. */
function pair(maxLagMs = 1000) {
  const clock = createManualClock()
  const logger = createRecordingLogger()
  const state = { written: 0, replayed: 0, isPrimaryBusy: false, isReplicaGone: false, asked: 0 }
  const position = (at: number): string =>
    `${Math.floor(at / 16).toString(16)}/${((at % 16) * 0x1000_0000).toString(16)}`
  const lag = new ReplicaLag({
    async writtenTo() {
      state.asked += 1
      if (state.isPrimaryBusy) throw new Error('busy')
      return position(state.written)
    },
    async replayedTo() {
      if (state.isReplicaGone) throw new Error('gone')
      return position(state.replayed)
    },
    maxLagMs,
    clock,
    logger,
  })
  /** Writes, and has the replica repeat it or not. */
  const write = (isReplayed: boolean): number => {
    state.written += 1
    if (isReplayed) state.replayed = state.written
    return clock.elapsed()
  }
  return { clock, logger, state, lag, write }
}

describe('given a replica that keeps up', () => {
  test('when nobody has measured it, the primary answers; then it does', async () => {
    const { clock, lag } = pair()
    expect(lag.knowsOf(longAgo)).toBe(false)
    await clock.advanceAsync(0)
    expect(lag.knowsOf(longAgo)).toBe(true)
  })

  test('when somebody has written, it answers him once it has been seen to know of that', async () => {
    const { clock, lag, write } = pair()
    lag.knowsOf(longAgo)
    await clock.advanceAsync(100)
    const wroteAt = write(true)
    expect(lag.knowsOf(wroteAt)).toBe(false)
    expect(lag.knowsOf(longAgo)).toBe(true)
    await clock.advanceAsync(250)
    expect(lag.knowsOf(wroteAt)).toBe(true)
  })

  test('when nobody asks for it any more, it is not measured any more, until somebody does', async () => {
    const { clock, lag, state } = pair()
    lag.knowsOf(longAgo)
    await clock.advanceAsync(60_000)
    expect(clock.pending).toBe(0)
    const { asked } = state
    expect(asked).toBeLessThanOrEqual(41)
    expect(lag.knowsOf(longAgo)).toBe(false)
    await clock.advanceAsync(0)
    expect(lag.knowsOf(longAgo)).toBe(true)
    lag.stop()
    await clock.advanceAsync(60_000)
    expect(clock.pending).toBe(0)
  })
})

describe('given a replica that falls behind', () => {
  async function use({ clock, lag }: ReturnType<typeof pair>, ms: number, wroteAt = longAgo): Promise<boolean> {
    for (let at = 0; at < ms; at += 50) {
      lag.knowsOf(longAgo)
      await clock.advanceAsync(50)
    }
    return lag.knowsOf(wroteAt)
  }

  test('when it stands still, it answers those who wrote nothing for maxLagMs, and not for longer', async () => {
    const two = pair()
    await use(two, 500)
    const wroteAt = two.write(false)
    expect(await use(two, 500)).toBe(true)
    expect(await use(two, 250, wroteAt)).toBe(false)
    expect(await use(two, 500)).toBe(false)
    two.state.replayed = two.state.written
    expect(await use(two, 300, wroteAt)).toBe(true)
  })

  test('when it is always a little behind, it answers, and knows of what was written before', async () => {
    const two = pair()
    await use(two, 300)
    const first = two.write(false)
    for (let round = 0; round < 40; round += 1) {
      await use(two, 250)
      two.state.replayed = two.state.written
      two.write(false)
      expect(two.lag.knowsOf(longAgo)).toBe(true)
    }
    expect(two.lag.knowsOf(first)).toBe(true)
    expect(two.lag.knowsOf(two.clock.elapsed())).toBe(false)
  })

  test('when positions grow over their 32 bits, they are compared as numbers', async () => {
    const two = pair()
    two.state.written = 15
    two.state.replayed = 15
    expect(await use(two, 300)).toBe(true)
    for (let at = 0; at < 300; at += 1) two.write(false)
    expect(await use(two, 2000)).toBe(false)
    two.state.replayed = two.state.written
    expect(await use(two, 300)).toBe(true)
  })

  test('when it is gone, the primary answers until it has been measured again, and the log says so once', async () => {
    const two = pair()
    await use(two, 300)
    two.state.isReplicaGone = true
    expect(await use(two, 250)).toBe(false)
    await use(two, 5000)
    two.state.isReplicaGone = false
    expect(await use(two, 300)).toBe(true)
    expect(two.logger.lines.map(({ level }) => level)).toEqual(['warn', 'info'])
  })

  test('when the primary has no connection to spare, the replica goes on for as long as it may', async () => {
    const two = pair()
    await use(two, 500)
    two.state.isPrimaryBusy = true
    expect(await use(two, 700)).toBe(true)
    expect(await use(two, 500)).toBe(false)
    expect(two.logger.lines).toEqual([])
  })

  test('when it is doubted, it answers nobody before it has been measured', async () => {
    const two = pair()
    await use(two, 500)
    two.lag.doubt()
    expect(two.lag.knowsOf(longAgo)).toBe(false)
    expect(await use(two, 300)).toBe(true)
  })
})
