import { describe, expect, test } from 'vitest'
import { createManualClock } from '../testing/manual-clock.ts'
import { ServiceUnavailableError } from './errors.ts'
import { Permits } from './permits.ts'

const refusal = () => new ServiceUnavailableError('auth.busy', 'Busy.', { retryAfterSeconds: 1 })
const permitsOf = (maxTaken: number, maxWaiting: number) => new Permits({ maxTaken, maxWaiting, refusal })

/** Jobs that end when told to, and how many ran at once. */
function createJobs() {
  const open: (() => void)[] = []
  const started: number[] = []
  let running = 0
  let most = 0
  return {
    started,
    most: () => most,
    endFirst: () => open.shift()?.(),
    job: (name: number) => async () => {
      started.push(name)
      most = Math.max(most, ++running)
      await new Promise<void>((resolve) => open.push(resolve))
      running--
      return name
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('given two permits and a queue of three', () => {
  test('when five jobs come, two run at once, all get done, and in the order they came', async () => {
    const permits = permitsOf(2, 3)
    const jobs = createJobs()
    const all = Promise.all([1, 2, 3, 4, 5].map((name) => permits.run(jobs.job(name))))
    await turn()
    expect(jobs.started).toEqual([1, 2])
    for (let ended = 0; ended < 5; ended++) {
      jobs.endFirst()
      await turn()
    }
    expect(await all).toEqual([1, 2, 3, 4, 5])
    expect(jobs.started).toEqual([1, 2, 3, 4, 5])
    expect(jobs.most()).toBe(2)
  })

  test('when a sixth comes, it is turned away at once, and room is there again afterwards', async () => {
    const permits = permitsOf(2, 3)
    const jobs = createJobs()
    const five = [1, 2, 3, 4, 5].map((name) => permits.run(jobs.job(name)))
    await expect(permits.run(jobs.job(6))).rejects.toMatchObject({ code: 'auth.busy', retryAfterSeconds: 1 })
    jobs.endFirst()
    await turn()
    const sixth = permits.run(jobs.job(6))
    for (let ended = 0; ended < 5; ended++) {
      jobs.endFirst()
      await turn()
    }
    await Promise.all([...five, sixth])
    expect(jobs.most()).toBe(2)
  })

  test('when one ends while a newcomer arrives, whoever waited goes first and no third runs', async () => {
    const permits = permitsOf(1, 3)
    const jobs = createJobs()
    const all = [permits.run(jobs.job(1)), permits.run(jobs.job(2))]
    await turn()
    jobs.endFirst()
    all.push(permits.run(jobs.job(3)))
    for (let ended = 0; ended < 3; ended++) {
      await turn()
      jobs.endFirst()
    }
    await Promise.all(all)
    expect(jobs.started).toEqual([1, 2, 3])
    expect(jobs.most()).toBe(1)
  })

  test('when a job fails or throws at once, its permit comes back', async () => {
    const permits = permitsOf(1, 0)
    const fault = new Error('no memory')
    await expect(permits.run(() => Promise.reject(fault))).rejects.toBe(fault)
    await expect(
      permits.run(() => {
        throw fault
      }),
    ).rejects.toBe(fault)
    expect(await permits.run(async () => 'runs')).toBe('runs')
  })

  test('when somebody who waits goes away, the place is free and nothing is done for them', async () => {
    const permits = permitsOf(1, 1)
    const jobs = createJobs()
    const gone = new AbortController()
    const first = permits.run(jobs.job(1))
    const second = permits.run(jobs.job(2), gone.signal)
    await turn()
    gone.abort(new Error('the client went away'))
    await expect(second).rejects.toThrow('the client went away')
    const third = permits.run(jobs.job(3))
    jobs.endFirst()
    await turn()
    jobs.endFirst()
    await Promise.all([first, third])
    expect(jobs.started).toEqual([1, 3])
    await expect(permits.run(jobs.job(4), gone.signal)).rejects.toThrow('the client went away')
    expect(await permits.run(async () => 'runs')).toBe('runs')
  })
})

describe('given a bounded wait', () => {
  const createPermits = (isHeld?: () => boolean) => {
    const clock = createManualClock()
    const options = { maxTaken: 1, maxWaiting: 3, waitMs: 100, clock, refusal, ...(isHeld && { isHeld }) }
    return { clock, permits: new Permits(options) }
  }

  test('when nobody gives a permit back in time, whoever waits is turned away and leaves the queue', async () => {
    const { clock, permits } = createPermits()
    await permits.take()
    const second = permits.take()
    second.catch(() => {})
    clock.advance(99)
    expect(permits.waiting).toBe(1)
    clock.advance(1)
    await expect(second).rejects.toMatchObject({ code: 'auth.busy' })
    expect(permits.waiting).toBe(0)
    permits.release()
    await permits.take()
    expect(permits.taken).toBe(1)
  })

  test('when permits are held back, even a free one is not given, until somebody says that it is over', async () => {
    let isHeld = true
    const { permits } = createPermits(() => isHeld)
    const first = permits.take()
    await turn()
    expect([permits.taken, permits.waiting]).toEqual([0, 1])
    isHeld = false
    permits.wake()
    await first
    expect([permits.taken, permits.waiting]).toEqual([1, 0])
  })
})
