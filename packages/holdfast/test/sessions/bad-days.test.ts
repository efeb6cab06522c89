import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { generateKey } from '../../src/adapters/jose/key-set.ts'
import type { EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { startEmbeddedRedis, type EmbeddedRedis } from '../../src/adapters/redis/embedded/embedded-redis.ts'
import { createRedis } from '../../src/adapters/redis/redis.ts'
import { freeze } from '../faults/processes.ts'
import { administer, startSessionDatabase } from './database.ts'
import type { ChildSettings } from './process.child.ts'
import { codeOf, startProcess, untilRefused, type Refusal, type ServiceProcess } from './processes.ts'

let postgres: EmbeddedPostgres
let redis: EmbeddedRedis
const running: ServiceProcess[] = []
const jwks = JSON.stringify({ keys: [generateKey()] })

/** So long that what is known within a test was not learned by it. */
const never = 60_000
const figures: string[] = []

beforeAll(async () => {
  postgres = await startSessionDatabase()
  redis = (await startEmbeddedRedis())!
}, 60_000)

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()))
})

afterAll(async () => {
  await postgres?.stop()
  await redis?.stop()
  console.log(figures.join('\n'))
})

type Kind = ChildSettings['kind']

async function twoProcesses(kind: Kind, settings: Partial<ChildSettings> = {}) {
  const url = kind === 'postgres' ? postgres.url : redis.url
  const all = { kind, url, jwks, syncMs: never, maxStalenessSeconds: 600, ...settings }
  const pair = await Promise.all([startProcess(all), startProcess(all)])
  running.push(...pair)
  return pair
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

describe.each<Kind>(['postgres', 'redis'])('given two processes that share sessions in %s', (kind) => {
  test('when one signs out, the other refuses the access token, told by the bus and not by reading', async () => {
    const [here, there] = await twoProcesses(kind)
    const times: number[] = []
    for (let round = 0; round < 20; round += 1) {
      const { accessToken, session } = await here.start('ada')
      expect(await there.authenticate(accessToken)).toMatchObject({ id: 'ada', sessionId: session.id })
      expect(await here.end('ada', session.id)).toBe(true)
      expect(await codeOf(here.authenticate(accessToken))).toBe('auth.session_ended')
      times.push(await untilRefused(() => there.authenticate(accessToken), 'auth.session_ended'))
    }
    const words = `median ${median(times).toFixed(1)} ms, at most ${Math.max(...times).toFixed(1)} ms`
    figures.push(`${kind}: signed out on one process, refused on the other after ${words}`)
  })

  test('when roles change on one, the other has the client refresh, and then lets it in', async () => {
    const [here, there] = await twoProcesses(kind)
    const { accessToken, refreshToken } = await there.start('bob')
    await here.outdate('bob')
    await untilRefused(() => there.authenticate(accessToken), 'auth.token_outdated')
    const refreshed = await there.refresh(refreshToken)

    expect(await there.authenticate(refreshed.accessToken)).toMatchObject({ id: 'bob' })
    expect(await here.authenticate(refreshed.accessToken)).toMatchObject({ id: 'bob' })
  })

  test('when 100 refreshes with one token come at once to both, all get the same one, and it is good', async () => {
    const [here, there] = await twoProcesses(kind)
    const { refreshToken, session } = await here.start('eve')
    const all = await Promise.all([here.refreshMany(refreshToken, 50), there.refreshMany(refreshToken, 50)])
    const successors = new Set(all.flat().map((one) => one.refreshToken))

    expect(all.flat()).toHaveLength(100)
    expect(successors.size).toBe(1)
    const next = await here.refresh(all[0][0]?.refreshToken ?? '')
    expect(next.session.id).toBe(session.id)
    expect(next.refreshToken).not.toBe(refreshToken)
    expect(await here.events()).toEqual(['session.started'])
    expect(await there.events()).toEqual([])
  })

  test.each([3_600_000, -3_600_000])(
    'when the date of one steps by %i ms, nobody is signed out and what was signed out stays so',
    async (ms) => {
      const [here, there] = await twoProcesses(kind)
      const before = await here.start('zoe')
      const gone = await here.start('zoe')
      await here.step(ms)
      const during = await here.start('zoe')

      for (const { accessToken } of [before, during]) {
        expect(await here.authenticate(accessToken)).toMatchObject({ id: 'zoe' })
        expect(await there.authenticate(accessToken)).toMatchObject({ id: 'zoe' })
      }
      // The replay window is the store's: an hour of this process is nothing to it.
      const used = await here.refresh(before.refreshToken)
      const again = await here.refresh(before.refreshToken)
      expect(again.refreshToken).toBe(used.refreshToken)
      await here.end('zoe', gone.session.id)
      await untilRefused(() => there.authenticate(gone.accessToken), 'auth.session_ended')
      await there.outdate('zoe')
      await untilRefused(() => here.authenticate(during.accessToken), 'auth.token_outdated')
      await untilRefused(() => there.authenticate(used.accessToken), 'auth.token_outdated')
      const { accessToken } = await here.refresh(used.refreshToken)
      expect(await here.authenticate(accessToken)).toMatchObject({ id: 'zoe' })
      expect(await there.authenticate(accessToken)).toMatchObject({ id: 'zoe' })
      await here.step(0)
      expect(await here.authenticate(accessToken)).toMatchObject({ id: 'zoe' })
      expect(await there.authenticate(accessToken)).toMatchObject({ id: 'zoe' })
    },
  )

  test('when the store freezes, a refresh is 503 within its limit and never 401, and the token stays good', async () => {
    const [here, there] = await twoProcesses(kind)
    const { refreshToken } = await here.start('kim')
    const thawAll = await freezeStore(kind)
    const from = performance.now()
    const answers = await Promise.all([here, there].map((one) => codeOf(one.refresh(refreshToken)))).finally(thawAll)
    const ms = performance.now() - from

    expect(answers).toEqual(Array.from(answers, () => expect.stringMatching(/^(database|redis)\./)))
    expect(ms).toBeLessThan(10_000)
    figures.push(`${kind}: frozen, a refresh is ${answers.join(' and ')} after ${Math.round(ms)} ms`)
    const next = await untilDone(() => there.refresh(refreshToken))
    expect((await here.refresh(next.refreshToken)).session.principalId).toBe('kim')
  })

  test('when the store stays frozen, access tokens are 503 rather than believed, and good again after it', async () => {
    const [here, there] = await twoProcesses(kind, { syncMs: 100, maxStalenessSeconds: 1 })
    const { accessToken } = await here.start('max')
    const thawAll = await freezeStore(kind)
    await untilRefused(() => there.authenticate(accessToken), 'auth.revocations_unknown').finally(thawAll)

    expect(await untilDone(() => there.authenticate(accessToken))).toMatchObject({ id: 'max' })
  })
})

describe('given two processes that share sessions in PostgreSQL', () => {
  test('when the listening connection dies with the message, the other refuses once it listens again', async () => {
    const [here, there] = await twoProcesses('postgres')
    const times: number[] = []
    for (let round = 0; round < 5; round += 1) {
      const { accessToken, session } = await here.start('ada')
      expect(await there.authenticate(accessToken)).toMatchObject({ id: 'ada' })
      const [, ended] = await Promise.all([killListeners(), here.end('ada', session.id)])
      expect(ended).toBe(true)
      times.push(await untilRefused(() => there.authenticate(accessToken), 'auth.session_ended'))
    }
    figures.push(
      `postgres: listener killed while signing out, refused after at most ${Math.max(...times).toFixed(0)} ms`,
    )
  })

  test('when the server crashes and comes back, sessions and ends are still there, and no process went with it', async () => {
    const [here, there] = await twoProcesses('postgres')
    const kept = await here.start('ada')
    const gone = await here.start('ada')
    await here.end('ada', gone.session.id)
    await crash()
    const refreshed = await untilDone(() => there.refresh(kept.refreshToken))

    expect(refreshed.session.id).toBe(kept.session.id)
    expect(await codeOf(untilDone(() => there.refresh(gone.refreshToken)))).toBe('auth.refresh_invalid')
    expect(await codeOf(there.authenticate(gone.accessToken))).toBe('auth.session_ended')
    const other = await untilDone(() => here.start('ada'))
    await untilDone(() => here.end('ada', other.session.id))
    await untilRefused(() => there.authenticate(other.accessToken), 'auth.session_ended')
  })
})

describe('given processes that share sessions in Redis', () => {
  test('when it is emptied, refreshes are 401, and access tokens from before are refused everywhere', async () => {
    const [here, there] = await twoProcesses('redis', { syncMs: 100 })
    const { accessToken, refreshToken } = await here.start('ada')
    const ended = await here.start('ada')
    await here.end('ada', ended.session.id)
    await flush()

    expect(await codeOf(there.refresh(refreshToken))).toBe('auth.refresh_invalid')
    await untilRefused(() => here.authenticate(accessToken), 'auth.session_ended')
    await untilRefused(() => there.authenticate(accessToken), 'auth.session_ended')
    const [later] = await twoProcesses('redis')
    expect(await codeOf(later.authenticate(accessToken))).toBe('auth.session_ended')
    expect(await codeOf(later.authenticate(ended.accessToken))).toBe('auth.session_ended')
    const again = await later.start('ada')
    expect(await there.authenticate(again.accessToken)).toMatchObject({ id: 'ada' })
  })
})

async function flush(): Promise<void> {
  const connection = createRedis({ url: redis.url, commandTimeoutMs: 2000 })
  await connection.command('FLUSHALL')
  await connection.close()
}

const killListeners = () =>
  administer(
    postgres.url,
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holdfast listener'`,
  )

/** The server takes the end of a backend by SIGKILL for a crash: it cuts every connection and recovers from its log. */
async function crash(): Promise<void> {
  const { rows } = await administer(
    postgres.url,
    `select pid from pg_stat_activity where application_name = 'holdfast listener' limit 1`,
  )
  process.kill((rows[0] as { pid: number }).pid, 'SIGKILL')
}

/** @returns what lets it go on */
async function freezeStore(kind: Kind): Promise<() => void> {
  const main = kind === 'redis' ? redis.pid : await postmasterPid()
  await freeze(main)
  const all = [main, ...childrenOf(main).filter(stops)]
  return () => {
    for (const pid of all) signals(pid, 'SIGCONT')
  }
}

/** The others of a PostgreSQL live on without the one that accepts connections. */
function childrenOf(pid: number): number[] {
  const states = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  const pairs = states.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []))
}

const stops = (pid: number): boolean => signals(pid, 'SIGSTOP')

/** False for a backend that went away meanwhile. */
function signals(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

async function postmasterPid(): Promise<number> {
  const { rows } = await administer(
    postgres.url,
    `select split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int as pid`,
  )
  return (rows[0] as { pid: number }).pid
}

/** Tries as a client does: again after a 503, and never after a 401, which has it sign in anew. */
async function untilDone<Result>(work: () => Promise<Result>): Promise<Result> {
  for (const endsAt = performance.now() + 15_000; ; await delay(20)) {
    try {
      return await work()
    } catch (error) {
      if ((error as Refusal).kind !== 'unavailable' || performance.now() > endsAt) throw error
    }
  }
}
