import assert from 'node:assert/strict'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { NewSession, Revocation, RotateRequest, Rotation, SessionStore } from '../core/auth/session-store.ts'

/** Where the stores of {@link sessionStoreSuite} come from. */
export interface SessionStoreTarget {
  /**
   * Opens a store over the same sessions as all others, as another process would: over connections of its own.
   *
   * @param shiftMs - how far ahead its time is; negative for behind
   */
  open(shiftMs: number): SessionStore | Promise<SessionStore>
}

/** One claim about a store. */
export interface SessionStoreCase {
  readonly name: string
  /** Rejects with an AssertionError when the claim does not hold. */
  readonly run: () => Promise<void>
}

/**
 * What every {@link SessionStore} has to hold, for any test runner:
 * `for (const { name, run } of sessionStoreSuite(target)) test(name, run)`.
 * Uses principals of its own making, so it may run beside others on one server; takes some seconds.
 */
export function sessionStoreSuite(target: SessionStoreTarget): readonly SessionStoreCase[] {
  return Object.entries(claims).map(([name, claim]) => ({
    name,
    run: () => claim(async (shiftMs = 0) => await target.open(shiftMs)),
  }))
}

type Open = (shiftMs?: number) => Promise<SessionStore>

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const replayMs = 20 * second

const claims: Readonly<Record<string, (open: Open) => Promise<void>>> = {
  async 'a new session is found and listed as it was made'(open) {
    const store = await open()
    const session = newSession({ label: 'Firefox on Linux', lifetimeMs: 90 * day })
    const record = await store.create(session)
    const found = await store.find(session)

    assert.deepEqual(
      { id: record.id, principalId: record.principalId, label: record.label },
      { id: session.id, principalId: session.principalId, label: 'Firefox on Linux' },
    )
    assert.equal(record.lastUsedAt, record.createdAt)
    assertNear(record.expiresAt - record.createdAt, 90 * day, 2)
    assert.deepEqual(found?.session, record)
    assert.ok(found.now >= record.createdAt, 'the time of the look is not before that of the sign-in')
    assert.deepEqual(await store.list(session.principalId), [record])
  },

  async 'whoever does not know its family is told of no session, and harms none'(open) {
    const store = await open()
    const session = newSession()
    await store.create(session)
    const stranger = { ...session, familyHash: randomBytes(32) }

    assert.equal(await store.find(stranger), undefined)
    assert.deepEqual(await store.rotate(rotation(stranger, session.tokenHash)), { outcome: 'unknown' })
    assert.deepEqual(await store.rotate(rotation(stranger, randomBytes(32))), { outcome: 'unknown' })
    assert.equal((await store.rotate(rotation(session, session.tokenHash))).outcome, 'rotated')
  },

  async 'a session that never was is unknown, whatever its id looks like'(open) {
    const store = await open()
    for (const id of [randomUUID(), 'nobody', '', "'; drop table sessions; --", '*', 'a'.repeat(300)]) {
      const key = { sessionId: id, familyHash: randomBytes(32) }
      assert.equal(await store.find(key), undefined)
      assert.deepEqual(await store.rotate(rotation({ ...newSession(), ...key, id }, randomBytes(32))), {
        outcome: 'unknown',
      })
      assert.deepEqual(await store.end('nobody', { only: id }), [])
    }
  },

  async 'tokens follow one another, and each is good once'(open) {
    const store = await open()
    const session = newSession()
    const created = await store.create(session)
    let tokenHash = session.tokenHash
    for (let round = 0; round < 5; round += 1) {
      const request = rotation(session, tokenHash)
      const result = await store.rotate(request)
      assert.equal(result.outcome, 'rotated')
      assert.deepEqual(sealedOf(result), [hex(request.sealedSuccessor)])
      assert.ok(result.session.lastUsedAt >= created.lastUsedAt)
      assert.equal(result.session.expiresAt, created.expiresAt)
      tokenHash = request.successorHash
    }
  },

  async 'a used token gives its one successor again within the window, and counts as a use'(open) {
    const store = await open()
    const session = newSession()
    await store.create(session)
    const first = rotation(session, session.tokenHash)
    await store.rotate(first)
    const later = await open(replayMs - 5 * second)
    const again = await later.rotate(rotation(session, session.tokenHash))

    assert.equal(again.outcome, 'replayed')
    assert.deepEqual(sealedOf(again), [hex(first.sealedSuccessor)])
    const [listed] = await later.list(session.principalId)
    assert.equal(listed?.lastUsedAt, again.session.lastUsedAt)
    assert.equal((await later.rotate(rotation(session, first.successorHash))).outcome, 'rotated')
  },

  async 'a token used twice before gives the whole way to the one that is good now'(open) {
    const store = await open()
    const session = newSession()
    await store.create(session)
    const requests: RotateRequest[] = []
    for (let tokenHash = session.tokenHash; requests.length < 3; tokenHash = requests.at(-1)!.successorHash) {
      const request = rotation(session, tokenHash)
      await store.rotate(request)
      requests.push(request)
    }
    const sealed = requests.map(({ sealedSuccessor }) => hex(sealedSuccessor))
    for (const [place, { tokenHash }] of requests.entries()) {
      const again = await store.rotate(rotation(session, tokenHash))
      assert.equal(again.outcome, 'replayed')
      assert.deepEqual(sealedOf(again), sealed.slice(place))
    }
  },

  async 'a token used again after the window ends its session, once, and the end is known'(open) {
    const store = await open()
    const session = newSession()
    await store.create(session)
    const first = rotation(session, session.tokenHash)
    await store.rotate(first)
    const later = await open(replayMs + 5 * second)
    const reused = await later.rotate(rotation(session, session.tokenHash))

    assert.equal(reused.outcome, 'reused')
    assert.equal(reused.session.id, session.id)
    assert.equal(reused.session.principalId, session.principalId)
    assert.deepEqual(await later.rotate(rotation(session, session.tokenHash)), { outcome: 'unknown' })
    assert.deepEqual(await store.rotate(rotation(session, first.successorHash)), { outcome: 'unknown' })
    assert.equal(await store.find(session), undefined)
    assert.deepEqual(await store.list(session.principalId), [])
    assert.equal(countOf(await revocationsOf(store), session.id), 1)
  },

  async 'a token used long ago is known by its family, however many came after it'(open) {
    const store = await open()
    const session = newSession()
    await store.create(session)
    let tokenHash = session.tokenHash
    for (let round = 0; round < 40; round += 1) {
      const request = rotation(session, tokenHash)
      assert.equal((await store.rotate(request)).outcome, 'rotated')
      tokenHash = request.successorHash
    }
    const later = await open(hour)
    assert.equal((await later.rotate(rotation(session, tokenHash))).outcome, 'rotated')
    assert.equal((await later.rotate(rotation(session, session.tokenHash))).outcome, 'reused')
  },

  async 'with no window at all, the second use ends the session'(open) {
    const store = await open()
    const session = newSession()
    await store.create(session)
    await store.rotate({ ...rotation(session, session.tokenHash), replayMs: 0 })
    const other = await store.rotate({ ...rotation(session, session.tokenHash), replayMs: 0 })

    assert.equal(other.outcome, 'reused')
  },

  async 'of 100 uses of one token at once, from two processes, one consumes it and all learn the same successor'(open) {
    await assertOneWins([await open(), await open()], 100)
  },

  // The moment in which two can win is short, and in the first uses connections are still being made.
  async 'of few uses of one token at once, one consumes it, time and again'(open) {
    const stores = [await open(), await open()] as const
    for (let round = 0; round < 60; round += 1) await assertOneWins(stores, 8)
  },

  async 'of 50 late uses of a used token at once, one ends the session'(open) {
    const store = await open()
    const session = newSession()
    await store.create(session)
    await store.rotate(rotation(session, session.tokenHash))
    const later = [await open(hour), await open(hour)]
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) => later[index % 2]!.rotate(rotation(session, session.tokenHash))),
    )

    assert.equal(results.filter(({ outcome }) => outcome === 'reused').length, 1)
    assert.equal(results.filter(({ outcome }) => outcome === 'unknown').length, 49)
    assert.equal(countOf(await revocationsOf(store), session.id), 1)
  },

  async 'a session that is not used ends by itself; one that is used goes on'(open) {
    const store = await open()
    const idle = newSession({ idleMs: hour })
    const busy = newSession({ idleMs: hour })
    await store.create(idle)
    await store.create(busy)
    const soon = await open(50 * minute)
    const next = { ...rotation(busy, busy.tokenHash), idleMs: hour }
    assert.equal((await soon.rotate(next)).outcome, 'rotated')

    const later = await open(70 * minute)
    assert.equal(await later.find(idle), undefined)
    assert.deepEqual(await later.rotate(rotation(idle, idle.tokenHash)), { outcome: 'unknown' })
    assert.deepEqual(await later.list(idle.principalId), [])
    assert.equal((await later.list(busy.principalId)).length, 1)
    assert.equal((await later.rotate(rotation(busy, next.successorHash))).outcome, 'rotated')
  },

  async 'a session ends after its time, however busy it is'(open) {
    const store = await open()
    const session = newSession({ idleMs: hour, lifetimeMs: 2 * hour })
    await store.create(session)
    let tokenHash = session.tokenHash
    for (const at of [30 * minute, 80 * minute, 115 * minute]) {
      const request = { ...rotation(session, tokenHash), idleMs: hour }
      const result = await (await open(at)).rotate(request)
      assert.equal(result.outcome, 'rotated')
      tokenHash = request.successorHash
    }
    const after = await open(125 * minute)
    assert.deepEqual(await after.rotate(rotation(session, tokenHash)), { outcome: 'unknown' })
    assert.deepEqual(await after.list(session.principalId), [])
  },

  async 'sessions are listed with the one used last first'(open) {
    const store = await open()
    const principalId = randomUUID()
    const sessions = [newSession({ principalId }), newSession({ principalId }), newSession({ principalId })]
    for (const [index, session] of sessions.entries()) await (await open(index * second)).create(session)
    await (await open(10 * second)).rotate(rotation(sessions[1]!, sessions[1]!.tokenHash))

    const listed = await store.list(principalId)
    assert.deepEqual(
      listed.map(({ id }) => id),
      [sessions[1]!.id, sessions[2]!.id, sessions[0]!.id],
    )
  },

  async 'one session is ended, once, and only by its principal'(open) {
    const store = await open()
    const session = newSession()
    const other = newSession({ principalId: session.principalId })
    await store.create(session)
    await store.create(other)

    assert.deepEqual(await store.end(randomUUID(), { only: session.id }), [])
    assert.deepEqual(await store.end(session.principalId, { only: session.id }), [session.id])
    assert.deepEqual(await store.end(session.principalId, { only: session.id }), [])
    assert.deepEqual(await store.rotate(rotation(session, session.tokenHash)), { outcome: 'unknown' })
    assert.equal((await store.rotate(rotation(other, other.tokenHash))).outcome, 'rotated')
    assert.equal(countOf(await revocationsOf(store), session.id), 1)
    assert.equal(countOf(await revocationsOf(store), other.id), 0)
  },

  async 'all sessions but one are ended, then all, and nobody else’s'(open) {
    const store = await open()
    const principalId = randomUUID()
    const mine = Array.from({ length: 5 }, () => newSession({ principalId }))
    const theirs = newSession()
    for (const session of [...mine, theirs]) await store.create(session)
    const [kept, ...rest] = mine

    const others = await store.end(principalId, { except: kept!.id })
    assert.deepEqual(others.toSorted(), rest.map(({ id }) => id).toSorted())
    assert.deepEqual(await store.end(principalId, {}), [kept!.id])
    assert.deepEqual(await store.end(principalId, {}), [])
    assert.equal((await store.list(theirs.principalId)).length, 1)
    const known = await revocationsOf(store)
    for (const { id } of mine) assert.equal(countOf(known, id), 1)
    assert.equal(countOf(known, theirs.id), 0)
  },

  async 'when all sessions are ended from many sides at once, each is ended once'(open) {
    const stores = [await open(), await open()]
    const principalId = randomUUID()
    const sessions = Array.from({ length: 20 }, () => newSession({ principalId }))
    await Promise.all(sessions.map((session, index) => stores[index % 2]!.create(session)))
    const ended = await Promise.all(Array.from({ length: 10 }, (_, index) => stores[index % 2]!.end(principalId, {})))

    assert.deepEqual(ended.flat().toSorted(), sessions.map(({ id }) => id).toSorted())
  },

  async 'of a refresh and an end at once, the end has the last word'(open) {
    const stores = [await open(), await open()]
    for (let round = 0; round < 20; round += 1) {
      const session = newSession()
      await stores[0]!.create(session)
      const request = rotation(session, session.tokenHash)
      const [, ended] = await Promise.all([
        stores[0]!.rotate(request),
        stores[1]!.end(session.principalId, { only: session.id }),
      ])
      assert.deepEqual(ended, [session.id])
      assert.deepEqual(await stores[0]!.rotate(rotation(session, request.successorHash)), { outcome: 'unknown' })
    }
  },

  async 'a reader of revocations goes on from where it was'(open) {
    const store = await open()
    const [first, other] = [newSession(), newSession()]
    await store.create(first)
    await store.create(other)
    await store.end(first.principalId, {})
    const before = await store.revocations({ withinMs: hour })
    await delay(2)
    await store.end(other.principalId, {})
    const outdatedAt = await store.outdate(first.principalId)
    const after = await store.revocations({ withinMs: hour, cursor: before.cursor })

    assert.equal(countOf(before.revocations, first.id), 1)
    assert.equal(countOf(before.revocations, other.id), 0)
    assert.equal(countOf(after.revocations, other.id), 1)
    const outdated = after.revocations.filter((one) => 'principalId' in one && one.principalId === first.principalId)
    assert.deepEqual(outdated, [{ principalId: first.principalId, at: outdatedAt }])
    assert.ok(after.now >= before.now)
    assert.ok(before.notBefore <= before.now)
    assertNear(outdatedAt, after.now, 10 * second)
  },

  async 'a reader that reads while others write misses nothing'(open) {
    const [writer, reader] = [await open(), await open()]
    const sessions = Array.from({ length: 60 }, () => newSession())
    await Promise.all(sessions.map((session) => writer.create(session)))
    const seen = new Set<string>()
    let { cursor } = await reader.revocations({ withinMs: hour })
    const read = async (): Promise<void> => {
      const batch = await reader.revocations({ withinMs: hour, cursor })
      cursor = batch.cursor
      for (const revocation of batch.revocations) if ('sessionId' in revocation) seen.add(revocation.sessionId)
    }
    const writing = { isOver: false }
    const written = Promise.all(sessions.map((session) => writer.end(session.principalId, {}))).finally(
      () => (writing.isOver = true),
    )
    while (!writing.isOver) await read()
    await written
    await read()

    for (const { id } of sessions) assert.ok(seen.has(id), `the end of ${id} was missed`)
  },

  async 'revocations that no token outlives are not read'(open) {
    const store = await open()
    const session = newSession()
    await store.create(session)
    await store.end(session.principalId, {})

    assert.equal(countOf(await revocationsOf(await open(10 * minute), 20 * minute), session.id), 1)
    assert.equal(countOf(await revocationsOf(await open(30 * minute), 20 * minute), session.id), 0)
  },

  async 'another process hears of each kind of revocation, until it stops listening'(open) {
    const [here, there] = [await open(), await open()]
    const heard: Revocation[] = []
    const stop = await there.subscribe(
      (revocation) => heard.push(revocation),
      () => {},
    )
    const [ended, reused, outdated] = [newSession(), newSession(), newSession()]
    await here.create(ended)
    await here.create(reused)
    await here.rotate(rotation(reused, reused.tokenHash))
    await here.end(ended.principalId, { only: ended.id })
    await (await open(hour)).rotate(rotation(reused, reused.tokenHash))
    const at = await here.outdate(outdated.principalId)

    await eventually(() => {
      assert.equal(countOf(heard, ended.id), 1)
      assert.equal(countOf(heard, reused.id), 1)
      assert.ok(heard.some((one) => 'principalId' in one && one.principalId === outdated.principalId && one.at === at))
    })
    await stop()
    const late = newSession()
    await here.create(late)
    await here.end(late.principalId, {})
    await here.outdate(late.principalId)
    assert.equal(countOf(heard, late.id), 0)
  },

  async 'a refusal to store is none: whatever the label and the principal are called'(open) {
    const store = await open()
    const names = ["O'Brien {1} *", '😀'.repeat(60), 'a:b{c}d', '%s\\n"', 'ÄÖÜ ß 漢字']
    for (const name of names) {
      const session = newSession({ principalId: `${name}-${randomUUID()}`, label: name })
      await store.create(session)
      const [listed] = await store.list(session.principalId)
      assert.equal(listed?.label, name)
      assert.equal(listed.principalId, session.principalId)
      assert.deepEqual(await store.end(session.principalId, {}), [session.id])
    }
  },

  async 'purging takes what is over and leaves what goes on'(open) {
    const store = await open()
    const [over, live, used] = [newSession({ idleMs: hour }), newSession({ idleMs: day }), newSession({ idleMs: day })]
    for (const session of [over, live, used]) await store.create(session)
    const next = rotation(used, used.tokenHash)
    await store.rotate(next)
    await store.end(over.principalId, {})
    const purged = await store.purge()

    assert.ok(purged >= 0)
    assert.equal((await store.rotate(rotation(live, live.tokenHash))).outcome, 'rotated')
    const again = await store.rotate(rotation(used, used.tokenHash))
    assert.deepEqual(sealedOf(again), [hex(next.sealedSuccessor)])
    assert.equal(countOf(await revocationsOf(store), over.id), 1, 'tokens of an ended session may still be around')
  },
}

interface SessionRequest extends NewSession {
  readonly sessionId: string
}

function newSession(parts: Partial<NewSession> = {}): SessionRequest {
  const id = parts.id ?? randomUUID()
  return {
    id,
    sessionId: id,
    principalId: randomUUID(),
    label: '',
    familyHash: randomBytes(32),
    tokenHash: createHash('sha256').update(randomUUID()).digest(),
    idleMs: 14 * day,
    lifetimeMs: 90 * day,
    ...parts,
  }
}

/** A use of `tokenHash`, with a successor of its own each time, as every process has one. */
function rotation({ sessionId, familyHash }: SessionRequest, tokenHash: Uint8Array): RotateRequest {
  return {
    sessionId,
    familyHash,
    tokenHash,
    successorHash: randomBytes(32),
    sealedSuccessor: randomBytes(60),
    replayMs,
    idleMs: 14 * day,
  }
}

function sealedOf(result: Rotation): string[] {
  return 'sealedSuccessors' in result ? result.sealedSuccessors.map(hex) : []
}

async function revocationsOf(store: SessionStore, withinMs = 2 * hour): Promise<readonly Revocation[]> {
  return (await store.revocations({ withinMs })).revocations
}

async function assertOneWins(stores: readonly [SessionStore, SessionStore], uses: number): Promise<void> {
  const session = newSession()
  await stores[0].create(session)
  const requests = Array.from({ length: uses }, () => rotation(session, session.tokenHash))
  const results = await Promise.all(requests.map((request, index) => stores[index % 2 ? 1 : 0].rotate(request)))

  const outcomes = results.map(({ outcome }) => outcome)
  assert.equal(outcomes.filter((outcome) => outcome === 'rotated').length, 1)
  assert.equal(outcomes.filter((outcome) => outcome === 'replayed').length, uses - 1)
  const winner = requests[outcomes.indexOf('rotated')]!
  assert.deepEqual(new Set(results.flatMap(sealedOf)), new Set([hex(winner.sealedSuccessor)]))

  const [loser] = requests.filter((request) => request !== winner)
  assert.equal((await stores[1].rotate(rotation(session, winner.successorHash))).outcome, 'rotated')
  assert.equal((await stores[1].rotate(rotation(session, loser!.successorHash))).outcome, 'reused')
}

/** How often a session stands there; those of principals are no session's. */
function countOf(revocations: readonly Revocation[], sessionId: string): number {
  return revocations.filter((one) => 'sessionId' in one && one.sessionId === sessionId).length
}

function assertNear(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not within ${tolerance} of ${expected}`)
}

async function eventually(assertion: () => void): Promise<void> {
  for (const endsAt = performance.now() + 10_000; ; await delay(5)) {
    try {
      assertion()
      return
    } catch (error) {
      if (performance.now() > endsAt) throw error
    }
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
