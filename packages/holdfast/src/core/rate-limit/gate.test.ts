import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../foundation/logger.ts'
import { createManualClock } from '../../testing/manual-clock.ts'
import { Gate } from './gate.ts'
import type { LimitStore } from './limit-store.ts'
import { createMemoryLimitStore } from './memory-limit-store.ts'
import { preparePolicy } from './policies.ts'
import { Room } from './room.ts'
import { SharedStore } from './shared-store.ts'

const maxKeys = 10_000
const flood = 1_000_000

function setUp() {
  const clock = createManualClock()
  const memory = createMemoryLimitStore({ maxKeys, clock })
  const inStore = createMemoryLimitStore({ maxKeys: flood, clock })
  const returned: string[] = []
  const store: LimitStore = {
    ...inStore,
    giveBack: async (subject) => void returned.push(subject),
  }
  const shared = new SharedStore({ store, maxWaitMs: 100, retryStoreMs: 1000, logger: silentLogger, clock })
  const room = new Room(maxKeys)
  const ground = { shared, memory, room, clock, maxWaitMs: 100 }
  const busy = preparePolicy('busy', { by: 'address', quota: 6000, windowSeconds: 60 })
  const once = preparePolicy('once', { by: 'address', quota: 1, windowSeconds: 60, counts: 'failures' })
  const gates = { busy: new Gate('address', [busy], ground), once: new Gate('address', [once], ground) }
  return { clock, memory, room, gates, ground, returned }
}

describe('given a flood of addresses', () => {
  test('when a hundred thousand come through two gates, what is remembered of them stays within its bound', async () => {
    const { gates, room, memory, clock } = setUp()
    for (let key = 0; key < flood / 10; key += 1) {
      const subject = String(key)
      await gates.busy.take(subject)
      await gates.once.take(subject)
      await gates.once.take(subject)
      if (key % 10_000 === 0) expect(room.size).toBeLessThanOrEqual(maxKeys)
    }
    expect(room.size).toBe(maxKeys)
    expect(memory.size).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('when a million come and there is no store, counters stay within their bound as well', () => {
    const { ground, room, memory } = setUp()
    const once = preparePolicy('once', { by: 'address', quota: 1, windowSeconds: 60 })
    const gate = new Gate('address', [once], { ...ground, shared: undefined })
    for (let key = 0; key < flood; key += 1) {
      const subject = String(key)
      void gate.take(subject)
      if (key % 20 === 0) void gate.take(subject)
    }
    expect(room.size).toBe(maxKeys)
    expect(memory.size).toBe(maxKeys)
  })

  test('when it pushes out a lease, what was left of it is given back', async () => {
    const { gates, returned } = setUp()
    for (let call = 0; call < 10; call += 1) await gates.busy.take('busy one')
    for (let key = 0; key < maxKeys; key += 1) await gates.busy.take(String(key))

    expect(returned).toHaveLength(1)
    expect(await gates.busy.take('busy one')).toMatchObject({ isAllowed: true })
  })

  test('when it pushes out a call under way, that one is taken for a failure', async () => {
    const { gates, returned } = setUp()
    await gates.once.take('somebody')
    for (let key = 0; key < maxKeys; key += 1) await gates.once.take(String(key))
    gates.once.settle('somebody', 200)

    expect(returned).toEqual([])
    expect(await gates.once.take('somebody')).toMatchObject({ isAllowed: false })
  })
})
