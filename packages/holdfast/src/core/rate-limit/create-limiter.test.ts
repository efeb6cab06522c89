import { describe, expect, test } from 'vitest'
import { createManualClock, type ManualClock } from '../../testing/manual-clock.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { createLimiter } from './create-limiter.ts'
import type { LimitStore, Taken } from './limit-store.ts'
import type { LimitDecision, Limiter, LimiterOptions, LimitGate, LimitPolicy } from './limiter.ts'
import { createMemoryLimitStore } from './memory-limit-store.ts'

const login: LimitPolicy = { by: 'address', quota: 10, windowSeconds: 60 }
const api: LimitPolicy = { by: 'address', quota: 600, windowSeconds: 60, burst: 100 }

/** A store that does what it is told and counts what it is asked. */
function createPlayedStore(clock: ManualClock) {
  const memory = createMemoryLimitStore({ clock })
  const asked = { take: 0, giveBack: 0, check: 0, subjects: new Set<string>() }
  let behave = <T>(answer: () => Promise<T>): Promise<T> => answer()
  const store: LimitStore = {
    take(subject, ...rest) {
      asked.take += 1
      asked.subjects.add(subject)
      return behave(() => memory.take(subject, ...rest))
    },
    giveBack(...rest) {
      asked.giveBack += 1
      return behave(() => memory.giveBack(...rest))
    },
    check(subject) {
      asked.check += 1
      return behave(() => memory.check(subject))
    },
  }
  return {
    store,
    asked,
    answer: () => void (behave = (answer) => answer()),
    fail: () => void (behave = () => Promise.reject(new Error('gone'))),
    freeze: () => void (behave = () => new Promise(() => {})),
    slow: (ms: number) =>
      void (behave = (answer) => new Promise((resolve) => void clock.schedule(ms, () => void answer().then(resolve)))),
    throwAtOnce: () =>
      void (behave = () => {
        throw new Error('thrown before there was a promise')
      }),
    rejectLate: (ms: number) =>
      void (behave = () => new Promise((_, reject) => void clock.schedule(ms, () => reject(new Error('late'))))),
    lie: (lie: unknown) => void (behave = () => Promise.resolve(lie as never)),
  }
}

function setUp(options: Partial<LimiterOptions> = {}) {
  const clock = createManualClock()
  const logger = createRecordingLogger()
  const played = createPlayedStore(clock)
  const limiter = createLimiter({ policies: { login, api }, store: played.store, clock, logger, ...options })
  return { clock, logger, limiter, ...played }
}

function gateFor(limiter: Limiter, ...names: readonly string[]): LimitGate {
  const [gate, ...others] = limiter.gates(names)
  if (gate === undefined || others.length > 0) throw new Error(`${names.join(', ')} is not one gate`)
  return gate
}

/** Allowed ones of so many calls that come at the same moment. */
async function allowed(gate: LimitGate, subject: string, calls: number): Promise<number> {
  const decisions = await Promise.all(Array.from({ length: calls }, async () => gate.take(subject)))
  return decisions.filter(({ isAllowed }) => isAllowed).length
}

function takeNow(gate: LimitGate, subject: string): LimitDecision {
  const decision = gate.take(subject)
  if (decision instanceof Promise) throw new Error('It asks the store')
  return decision
}

describe('given options that are wrong', () => {
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ['no policies', {}, /^policies is undefined/],
    ['a quota of NaN', { policies: { login: { ...login, quota: Number.NaN } } }, /^policies\.login\.quota is NaN/],
    ['a quota of 0', { policies: { login: { ...login, quota: 0 } } }, /quota is 0; .* from 1 to 1000000$/],
    ['a huge quota', { policies: { login: { ...login, quota: 1e9 } } }, /quota is 1000000000/],
    ['a quota as text', { policies: { login: { ...login, quota: '10' } } }, /quota is "10"/],
    ['half a second', { policies: { login: { ...login, windowSeconds: 0.5 } } }, /windowSeconds is 0\.5/],
    ['a window in ms', { policies: { login: { ...login, windowSeconds: 900_000 } } }, /from 1 to 86400$/],
    ['a burst of 0', { policies: { login: { ...login, burst: 0 } } }, /burst is 0/],
    ['a burst of a year', { policies: { l: { ...login, quota: 1, windowSeconds: 86_400, burst: 365 } } }, /31 days/],
    ['an unknown subject', { policies: { login: { ...login, by: 'ip' } } }, /^policies\.login\.by is "ip"/],
    ['no member of the body', { policies: { login: { ...login, by: { body: '' } } } }, /by is an object/],
    ['an unknown count', { policies: { login: { ...login, counts: 'all' } } }, /counts is "all"; .*"calls" or "fail/],
    ['exact as text', { policies: { login: { ...login, exact: 'no' } } }, /exact is "no"; it must be true or false/],
    ['failures that are leased', { policies: { l: { ...login, counts: 'failures', exact: false } } }, /is exact$/],
    ['a misspelt member', { policies: { login: { ...login, qouta: 1 } } }, /has "qouta"; its members are by, quota/],
    ['a name in capitals', { policies: { Login: login } }, /has the name "Login"/],
    ['a name with a space', { policies: { 'a b': login } }, /has the name "a b"/],
    ['a long name', { policies: { ['a'.repeat(33)]: login } }, /at most 32 characters/],
    ['a policy of null', { policies: { login: null } }, /^policies\.login is null/],
    ['an unknown name', { policies: { login }, everywhere: ['logn'] }, /^There is no limit "logn"; there are: login/],
    [
      'everywhere by the body',
      { policies: { account: { ...login, by: { body: 'email' } } }, everywhere: ['account'] },
      /^everywhere names account, which counts by the body/,
    ],
    ['a wait of 0', { policies: { login }, maxWaitMs: 0 }, /^maxWaitMs is 0/],
    ['a wait of NaN', { policies: { login }, maxWaitMs: Number.NaN }, /^maxWaitMs is NaN/],
    ['an endless wait', { policies: { login }, maxWaitMs: Infinity }, /^maxWaitMs is Infinity/],
    ['a retry of 1 ms', { policies: { login }, retryStoreMs: 1 }, /^retryStoreMs is 1; .* from 100 to 60000$/],
    ['few keys', { policies: { login }, maxKeys: 10 }, /^maxKeys is 10; .* from 1000 to 10000000$/],
  ]

  test.each(cases)('when there is %s, the limiter is refused and the message says why', (_, options, message) => {
    expect(() => createLimiter(options as LimiterOptions)).toThrow(message)
  })

  test('when a gate is asked for a name that no policy has, that is refused', () => {
    const { limiter } = setUp()

    expect(() => limiter.gates(['api', 'toString'])).toThrow(/^There is no limit "toString"; there are: login, api/)
    expect(() => limiter.gates(['__proto__'])).toThrow(TypeError)
  })
})

describe('given policies of several subjects', () => {
  const policies = {
    email: { by: { body: 'email' }, quota: 5, windowSeconds: 60 },
    mine: { by: 'principal', quota: 100, windowSeconds: 1 },
    login,
    api,
    phone: { by: { body: 'phone' }, quota: 5, windowSeconds: 60 },
  } as const

  test('when gates are compiled, there is one per subject: address, principal, body', () => {
    const { limiter } = setUp({ policies })
    const gates = limiter.gates(['email', 'mine', 'login', 'phone', 'api', 'api'])

    expect(gates.map(({ by, policy }) => [by, policy])).toEqual([
      ['address', '"login";q=10;w=60, "api";q=600;w=60'],
      ['principal', '"mine";q=100;w=1'],
      [{ body: 'email' }, '"email";q=5;w=60'],
      [{ body: 'phone' }, '"phone";q=5;w=60'],
    ])
    expect(limiter.gates([])).toEqual([])
  })

  test('when routes name the same policies, they share a gate', () => {
    const { limiter } = setUp({ policies })

    expect(limiter.gates(['login', 'api'])[0]).toBe(limiter.gates(['login', 'api', 'mine'])[0])
  })

  test('when subjects are alike but for their kind, they have counters of their own', async () => {
    const { limiter, asked } = setUp({ policies })
    for (const gate of limiter.gates(['email', 'mine', 'login', 'phone'])) await gate.take('10')

    expect(asked.subjects.size).toBe(3)
    expect([...asked.subjects].map((subject) => subject.slice(0, 2))).toEqual(['a:', 'p:', 'b:'])
  })

  test('when a body names an account, the store sees a hash, the same for all spellings', async () => {
    const { limiter, asked } = setUp({ policies })
    const gate = gateFor(limiter, 'email')
    for (const email of ['ann@example.com', ' ANN@Example.com\n', 'ａnn@example.com']) await gate.take(email)
    await gate.take('x'.repeat(1_000_000))
    await gate.take('\uD800')
    await gate.take('')

    expect(asked.subjects.size).toBe(4)
    for (const subject of asked.subjects) expect(subject).toMatch(/^b:~[\w-]{22}$/)
  })

  test('when an id or address is long or odd, it is hashed, and nobody can take the hash for a name', async () => {
    const { limiter, asked } = setUp({ policies })
    const gate = gateFor(limiter, 'mine')
    const ids = ['user-1', 'a}b', '{', 'x'.repeat(65), 'jörg', '', 'a b', 'a\0b']
    for (const id of ids) await gate.take(id)
    const before = [...asked.subjects]
    for (const hash of before.slice(1)) await gate.take(hash.slice(2))

    expect(before[0]).toBe('p:user-1')
    for (const subject of before.slice(1)) expect(subject).toMatch(/^p:~[\w-]{22}$/)
    expect(asked.subjects.size).toBe(ids.length + before.length - 1)
  })

  test('when an address is plain, it is seen as it is', async () => {
    const { limiter, asked } = setUp({ policies })
    for (const address of ['192.0.2.1', '2001:db8::/64']) await gateFor(limiter, 'login').take(address)

    expect([...asked.subjects]).toEqual(['a:192.0.2.1', 'a:2001:db8::/64'])
  })
})

describe('given an exact policy of ten per minute', () => {
  test('when calls come, the fields tell what is left, and a denial when to come again', async () => {
    const { limiter, clock } = setUp()
    const gate = gateFor(limiter, 'login')

    expect(await gate.take('192.0.2.1')).toEqual({ isAllowed: true, retryAfterSeconds: 0, state: '"login";r=9;t=6' })
    expect(await allowed(gate, '192.0.2.1', 8)).toBe(8)
    expect(await gate.take('192.0.2.1')).toEqual({ isAllowed: true, retryAfterSeconds: 0, state: '"login";r=0;t=60' })
    expect(await gate.take('192.0.2.1')).toEqual({ isAllowed: false, retryAfterSeconds: 6, state: '"login";r=0;t=6' })
    clock.advance(1500)
    expect(takeNow(gate, '192.0.2.1')).toEqual({ isAllowed: false, retryAfterSeconds: 5, state: '"login";r=0;t=5' })
    clock.advance(4498)
    expect(takeNow(gate, '192.0.2.1')).toEqual({ isAllowed: false, retryAfterSeconds: 1, state: '"login";r=0;t=1' })
    clock.advance(2)
    expect(await gate.take('192.0.2.1')).toMatchObject({ isAllowed: true })
  })

  test('when calls come, each asks the store, until one is denied; then none does', async () => {
    const { limiter, asked } = setUp()
    const gate = gateFor(limiter, 'login')

    expect(await allowed(gate, '192.0.2.1', 10)).toBe(10)
    expect(asked.take).toBe(10)
    await gate.take('192.0.2.1')
    for (let call = 0; call < 10_000; call += 1) expect(takeNow(gate, '192.0.2.1').isAllowed).toBe(false)
    expect(asked.take).toBe(11)
  })

  test('when it stands with another policy, both are taken or none, and each tells its own', async () => {
    const { limiter, asked } = setUp()
    const both = gateFor(limiter, 'login', 'api')

    expect(await allowed(both, '192.0.2.1', 20)).toBe(10)
    expect(await both.take('192.0.2.1')).toEqual({
      isAllowed: false,
      retryAfterSeconds: 6,
      state: '"login";r=0;t=6, "api";r=90;t=1',
    })
    expect(await gateFor(limiter, 'api').take('192.0.2.1')).toMatchObject({ state: '"api";r=89;t=2' })
    expect(asked.take).toBe(21)
  })

  test('when the counter is emptied elsewhere, the denial is not believed for longer than a minute', async () => {
    const { limiter, clock, asked } = setUp({ policies: { slow: { by: 'address', quota: 1, windowSeconds: 86_400 } } })
    const gate = gateFor(limiter, 'slow')
    await allowed(gate, '192.0.2.1', 2)
    clock.advance(59_999)
    expect(takeNow(gate, '192.0.2.1').retryAfterSeconds).toBe(86_340)
    clock.advance(1)
    await gate.take('192.0.2.1')
    expect(asked.take).toBe(3)
  })
})

describe('given a policy that counts failures', () => {
  const policies: Record<string, LimitPolicy> = {
    login: { ...login, counts: 'failures' },
    api: { ...api, exact: true },
  }

  test('when 200 guesses come at once, no more than the limit are let in', async () => {
    const { limiter } = setUp({ policies })
    const gate = gateFor(limiter, 'login')

    expect(gate.countsFailures).toBe(true)
    expect(await allowed(gate, '192.0.2.1', 200)).toBe(10)
  })

  test.each([200, 201, 304, 500, 503])('when calls end with %s, they cost nothing', async (status) => {
    const { limiter } = setUp({ policies })
    const gate = gateFor(limiter, 'login')
    for (let call = 0; call < 50; call += 1) {
      expect(await gate.take('192.0.2.1')).toMatchObject({ isAllowed: true, state: '"login";r=9;t=6' })
      gate.settle('192.0.2.1', status)
    }
    expect(await gate.take('192.0.2.1')).toMatchObject({ isAllowed: true })
  })

  test.each([400, 401, 403, 404, 422, 499])('when calls end with %s, they count', async (status) => {
    const { limiter } = setUp({ policies })
    const gate = gateFor(limiter, 'login')
    for (let call = 0; call < 10; call += 1) {
      expect(await gate.take('192.0.2.1')).toMatchObject({ isAllowed: true })
      gate.settle('192.0.2.1', status)
    }
    expect(await gate.take('192.0.2.1')).toMatchObject({ isAllowed: false })
  })

  test('when a call was denied while others were under way, their success lets the next one in', async () => {
    const { limiter } = setUp({ policies })
    const gate = gateFor(limiter, 'login')
    expect(await allowed(gate, '192.0.2.1', 11)).toBe(10)
    for (let call = 0; call < 10; call += 1) gate.settle('192.0.2.1', 200)

    expect(await allowed(gate, '192.0.2.1', 10)).toBe(10)
  })

  test('when they succeed on another process, the denial here lasts a second and not six', async () => {
    const { limiter, store, clock } = setUp({ policies })
    const elsewhere = gateFor(createLimiter({ policies, store, clock }), 'login')
    await allowed(elsewhere, '192.0.2.1', 10)
    const gate = gateFor(limiter, 'login')
    expect(await gate.take('192.0.2.1')).toMatchObject({ isAllowed: false, retryAfterSeconds: 6 })
    for (let call = 0; call < 10; call += 1) elsewhere.settle('192.0.2.1', 200)
    clock.advance(1000)

    expect(await gate.take('192.0.2.1')).toMatchObject({ isAllowed: true })
  })

  test('when more calls are settled than were let in, nobody gets more', async () => {
    const { limiter, asked } = setUp({ policies })
    const gate = gateFor(limiter, 'login')
    await allowed(gate, '192.0.2.1', 5)
    for (let call = 0; call < 100; call += 1) gate.settle('192.0.2.1', 200)
    gate.settle('never seen', 200)

    expect(asked.giveBack).toBe(5)
    expect(await allowed(gate, '192.0.2.1', 20)).toBe(10)
  })

  test('when nobody tells how calls end, what is remembered of them stays within its bound', async () => {
    const { limiter, asked } = setUp({ policies: { many: { ...login, quota: 5000, counts: 'failures' } } })
    const gate = gateFor(limiter, 'many')
    await allowed(gate, '192.0.2.1', 5000)
    for (let call = 0; call < 5000; call += 1) gate.settle('192.0.2.1', 200)

    expect(asked.giveBack).toBe(1000)
  })

  test('when successes are held while failures are earned back, holding them makes no further guesses', async () => {
    const { limiter, clock } = setUp({ policies })
    const gate = gateFor(limiter, 'login')
    await allowed(gate, '192.0.2.1', 9)
    clock.advance(60_000)
    expect(await allowed(gate, '192.0.2.1', 10)).toBe(10)
    for (let call = 0; call < 9; call += 1) gate.settle('192.0.2.1', 200)

    expect(await allowed(gate, '192.0.2.1', 10)).toBe(0)
  })

  test('when it stands with a policy that counts calls, only the failures are given back', async () => {
    const { limiter } = setUp({ policies })
    const both = gateFor(limiter, 'login', 'api')
    for (let call = 0; call < 30; call += 1) {
      await both.take('192.0.2.1')
      both.settle('192.0.2.1', 200)
    }
    expect(await both.take('192.0.2.1')).toMatchObject({ state: '"login";r=9;t=6, "api";r=69;t=4' })
  })

  test('when the store goes while a call is under way, what memory counted is given back to memory', async () => {
    const { limiter, fail } = setUp({ policies })
    const gate = gateFor(limiter, 'login')
    await gate.take('192.0.2.1')
    fail()
    await gate.take('192.0.2.1')
    for (let call = 0; call < 9; call += 1) takeNow(gate, '192.0.2.1')
    expect(takeNow(gate, '192.0.2.1').isAllowed).toBe(false)
    gate.settle('192.0.2.1', 200)
    expect(takeNow(gate, '192.0.2.1').isAllowed, 'that one was taken from the store').toBe(false)
    gate.settle('192.0.2.1', 200)
    expect(takeNow(gate, '192.0.2.1').isAllowed).toBe(true)
  })
})

describe('given a policy that may be leased', () => {
  const policies: Record<string, LimitPolicy> = {
    api: { by: 'address', quota: 60_000, windowSeconds: 60, burst: 1000 },
  }

  test('when a subject is busy, it takes more and more at once, and most calls ask nobody', async () => {
    const { limiter, asked } = setUp({ policies })
    const gate = gateFor(limiter, 'api')
    let waited = 0
    for (let call = 0; call < 500; call += 1) {
      const decision = gate.take('192.0.2.1')
      if (decision instanceof Promise) waited += 1
      expect(await decision).toMatchObject({ isAllowed: true, state: `"api";r=${999 - call};t=1` })
    }
    expect(asked.take).toBe(waited)
    expect(waited).toBeLessThan(15)
  })

  test('when calls come at the same moment, they share one question', async () => {
    const { limiter, asked } = setUp({ policies })

    expect(await allowed(gateFor(limiter, 'api'), '192.0.2.1', 300)).toBe(300)
    expect(asked.take).toBe(2)
  })

  test('when many come at the same moment near the limit, exactly as many pass as there are', async () => {
    const { limiter } = setUp({ policies })

    expect(await allowed(gateFor(limiter, 'api'), '192.0.2.1', 1500)).toBe(1000)
  })

  test('when a lease was not used within half a second, the rest is given back and the next is small', async () => {
    const policy: LimitPolicy = { by: 'address', quota: 60, windowSeconds: 60, burst: 1000, exact: false }
    const { limiter, asked, clock, store } = setUp({ policies: { api: policy } })
    const gate = gateFor(limiter, 'api')
    for (let call = 0; call < 100; call += 1) await gate.take('192.0.2.1')
    const before = asked.take
    await clock.advanceAsync(500)

    expect(asked.giveBack).toBe(1)
    expect(gate.take('192.0.2.1')).toBeInstanceOf(Promise)
    await clock.advanceAsync(0)
    expect(asked.take).toBe(before + 1)
    expect(clock.pending).toBe(0)
    const counter = { policy: 'api', intervalMs: 1000, burst: 1000 }
    const { resetMs } = await store.take('a:192.0.2.1', [counter], 1, 0)
    // A hundred and one and this one; half a second was earned while the lease was held, and stays unearned.
    expect(resetMs[0]).toBe(102 * 1000)
  })

  test('when the timer that ends leases is late, what is over is not used all the same', async () => {
    const clock = createManualClock()
    let stepMs = 0
    const stepped = { ...clock, elapsed: () => clock.elapsed() + stepMs }
    const { store, asked } = createPlayedStore(clock)
    const gate = gateFor(createLimiter({ policies, store, clock: stepped }), 'api')
    for (let call = 0; call < 100; call += 1) await gate.take('192.0.2.1')
    expect(gate.take('192.0.2.1')).not.toBeInstanceOf(Promise)
    stepMs = 500

    expect(gate.take('192.0.2.1')).toBeInstanceOf(Promise)
    expect(asked.giveBack).toBe(1)
  })

  test('when the limit is near, nothing is taken to spare', async () => {
    const policy: LimitPolicy = { by: 'address', quota: 60, windowSeconds: 60, burst: 9, exact: false }
    const { limiter, store } = setUp({ policies: { api: policy } })
    const gate = gateFor(limiter, 'api')
    for (let call = 0; call < 5; call += 1) await gate.take('192.0.2.1')
    const counter = { policy: 'api', intervalMs: 1000, burst: 9 }

    expect(await store.take('a:192.0.2.1', [counter], 9, 0)).toMatchObject({ granted: 4 } satisfies Partial<Taken>)
  })

  test('when a lease is held, other processes get what is not in it, and no more', async () => {
    const { limiter, store, clock } = setUp({ policies })
    const here = gateFor(limiter, 'api')
    const there = gateFor(createLimiter({ policies, store, clock }), 'api')
    for (let call = 0; call < 200; call += 1) await here.take('192.0.2.1')
    const elsewhere = await allowed(there, '192.0.2.1', 1000)
    let leased = 0
    while ((await here.take('192.0.2.1')).isAllowed) leased += 1

    expect(200 + elsewhere + leased).toBe(1000)
  })

  test('when it is used up, a flood asks the store once per call that is earned', async () => {
    const { limiter, clock, asked } = setUp({ policies: { api } })
    const gate = gateFor(limiter, 'api')
    await allowed(gate, '192.0.2.1', 101)
    const before = asked.take
    let passed = 0
    for (let ms = 0; ms < 1000; ms += 1) {
      passed += await allowed(gate, '192.0.2.1', 10)
      clock.advance(1)
    }
    expect(passed).toBeLessThanOrEqual(10)
    expect(passed).toBeGreaterThanOrEqual(9)
    expect(asked.take - before).toBeLessThanOrEqual(20)
  })
})

describe('given a store that goes away', () => {
  const subjects = Array.from({ length: 20 }, (_, index) => `192.0.2.${index}`)

  test('when it is frozen, the calls of that moment wait once, and from then on nobody does', async () => {
    const { limiter, clock, freeze, asked, logger } = setUp()
    freeze()
    const gates = [gateFor(limiter, 'login'), gateFor(limiter, 'api')]
    const decisions = gates.flatMap((gate) => subjects.map((subject) => gate.take(subject)))
    await clock.advanceAsync(99)
    expect(limiter.isShared).toBe(true)
    // Came late, and does not wait for a hundred of its own.
    const late = gates[0]!.take('198.51.100.1')
    await clock.advanceAsync(1)
    expect(limiter.isShared).toBe(false)
    for (const decision of [...decisions, late]) expect(await decision).toMatchObject({ isAllowed: true })

    const before = asked.take
    for (let ms = 0; ms < 10_000; ms += 100) {
      await clock.advanceAsync(100)
      for (const gate of gates) for (const subject of subjects) takeNow(gate, subject)
    }
    expect(asked.take).toBe(before)
    expect(asked.check).toBe(9)
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn'])
  })

  test('when it answers again, a probe finds out, and the processes share again', async () => {
    const { limiter, clock, freeze, answer, asked, logger } = setUp()
    const gate = gateFor(limiter, 'login')
    freeze()
    const decision = gate.take('192.0.2.1')
    await clock.advanceAsync(100)
    await decision
    answer()
    const before = asked.take
    await clock.advanceAsync(999)
    expect(limiter.isShared).toBe(false)
    await clock.advanceAsync(1)
    expect(limiter.isShared).toBe(true)
    await gate.take('192.0.2.1')
    expect(asked.take).toBe(before + 1)
    expect(logger.lines.map(({ level, fields }) => [level, Object.keys(fields)])).toEqual([
      ['warn', ['err']],
      ['info', ['awayMs']],
    ])
    expect(clock.pending).toBe(0)
  })

  test('when it answers as slowly as before, nobody waits for it again', async () => {
    const { limiter, clock, slow } = setUp()
    const gate = gateFor(limiter, 'login')
    slow(150)
    const decision = gate.take('192.0.2.1')
    await clock.advanceAsync(100)
    await decision
    for (let second = 0; second < 10; second += 1) {
      await clock.advanceAsync(1000)
      takeNow(gate, '192.0.2.1')
    }
    expect(limiter.isShared).toBe(false)
  })

  test('when it is slow but in time, calls that share a question wait at most a quarter longer than one may', async () => {
    const { limiter, clock, slow } = setUp()
    slow(80)
    const gate = gateFor(limiter, 'api')
    const since = clock.elapsed()
    const waits: number[] = []
    const take = async (): Promise<void> => {
      const from = clock.elapsed()
      await gate.take('192.0.2.1')
      waits.push(clock.elapsed() - from)
    }
    while (clock.elapsed() - since < 1000) {
      void take()
      await clock.advanceAsync(10)
    }
    await clock.advanceAsync(1000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(125)
    expect(waits).toHaveLength(100)
  })

  test.each([
    ['fails', 'fail'],
    ['throws before there is a promise', 'throwAtOnce'],
  ] as const)('when it %s, calls are limited here, by as much as before', async (_, how) => {
    const parts = setUp()
    parts[how]()

    expect(await allowed(gateFor(parts.limiter, 'login'), '192.0.2.1', 200)).toBe(10)
    expect(await allowed(gateFor(parts.limiter, 'api'), '192.0.2.1', 200)).toBe(100)
    expect(parts.limiter.isShared).toBe(false)
  })

  test.each([
    null,
    undefined,
    {},
    'OK',
    { granted: Number.NaN, takenAt: 0, resetMs: [0] },
    { granted: 1e9, takenAt: 0, resetMs: [0] },
    { granted: -1, takenAt: 0, resetMs: [0] },
    { granted: 1, takenAt: 0, resetMs: [] },
    { granted: 1, takenAt: 0, resetMs: [Number.NaN] },
    { granted: 1, takenAt: '0', resetMs: [0] },
  ])('when it gives %o, that is no answer', async (lie) => {
    const { limiter, lie: give } = setUp()
    give(lie)

    expect(await allowed(gateFor(limiter, 'login'), '192.0.2.1', 200)).toBe(10)
    expect(limiter.isShared).toBe(false)
  })

  test('when it rejects after it was given up, nobody hears of it', async () => {
    const { limiter, clock, rejectLate, answer, logger } = setUp()
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    rejectLate(1500)
    const decision = gateFor(limiter, 'login').take('192.0.2.1')
    await clock.advanceAsync(100)
    await decision
    answer()
    await clock.advanceAsync(5000)
    process.off('unhandledRejection', note)

    expect(unhandled).toEqual([])
    expect(limiter.isShared).toBe(true)
    expect(logger.lines).toHaveLength(2)
  })

  test('when it comes and goes, what memory has counted stays counted', async () => {
    const { limiter, clock, fail, answer } = setUp({
      policies: { slow: { by: 'address', quota: 5, windowSeconds: 3600 } },
    })
    const gate = gateFor(limiter, 'slow')
    let passed = 0
    for (let turn = 0; turn < 10; turn += 1) {
      fail()
      await gate.take('198.51.100.1')
      passed += await allowed(gate, '192.0.2.1', 10)
      answer()
      await clock.advanceAsync(1000)
      expect(limiter.isShared).toBe(true)
    }
    expect(passed).toBe(5)
  })
})

test('given no store, when calls come, they are decided at once and nothing is shared', () => {
  const limiter = createLimiter({ policies: { login, api }, clock: createManualClock() })
  const gate = gateFor(limiter, 'login', 'api')
  for (let call = 0; call < 10; call += 1) expect(takeNow(gate, '192.0.2.1').isAllowed).toBe(true)

  expect(takeNow(gate, '192.0.2.1').isAllowed).toBe(false)
  expect(limiter.isShared).toBe(false)
})
