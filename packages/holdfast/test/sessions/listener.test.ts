import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { listen, type ListenOptions } from '../../src/adapters/postgres/listener.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import { startProxy, type FaultProxy } from '../faults/proxy.ts'
import { administer } from './database.ts'

let postgres: EmbeddedPostgres
let proxy: FaultProxy
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  proxy = await startProxy(Number(new URL(postgres.url).port))
}, 60_000)

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
  await proxy.pass()
})

afterAll(async () => {
  await proxy?.stop()
  await postgres?.stop()
})

function proxied(): string {
  const url = new URL(postgres.url)
  url.port = String(proxy.port)
  return url.href
}

async function listening(options: Partial<ListenOptions> = {}) {
  const heard: string[] = []
  const gaps: number[] = []
  const logger = createRecordingLogger()
  const stop = await listen({
    url: proxied(),
    channel: 'odd "channel"',
    onMessage: (message) => heard.push(message),
    onGap: () => gaps.push(performance.now()),
    logger,
    timeoutMs: 300,
    checkIntervalMs: 100,
    ...options,
  })
  stops.push(stop)
  return { heard, gaps, logger, stop }
}

const say = (words: string) => administer(postgres.url, 'select pg_notify($1, $2)', ['odd "channel"', words])
const listeners = async (): Promise<number> =>
  (await administer(postgres.url, `select from pg_stat_activity where application_name = 'holdfast listener'`))
    .rowCount ?? 0

describe('given a listener to a channel', () => {
  test('when somebody speaks, it hears, without a gap', async () => {
    const { heard, gaps } = await listening()
    await say('one')
    await say('two')
    await expect.poll(() => heard).toEqual(['one', 'two'])
    expect(gaps).toEqual([])
  })

  test('when its connection is reset again and again, it comes back, tells of each gap and hears again', async () => {
    const { heard, gaps, logger } = await listening()
    for (let round = 1; round <= 3; round += 1) {
      proxy.reset()
      await expect.poll(() => gaps.length).toBe(round)
      await say(`after ${round}`)
      await expect.poll(() => heard.at(-1)).toBe(`after ${round}`)
    }
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn', 'info', 'warn', 'info', 'warn', 'info'])
  })

  test('when the other side is gone without a word, that is noticed and mended', async () => {
    const { heard, gaps } = await listening()
    await proxy.blackhole()
    await expect.poll(() => proxy.counts.accepted, { timeout: 5000 }).toBeGreaterThan(0)
    const { accepted } = proxy.counts
    // It tries again, into the hole, so it has noticed.
    await expect.poll(() => proxy.counts.accepted, { timeout: 5000 }).toBeGreaterThan(accepted)
    await say('lost')
    await proxy.pass()
    await expect.poll(() => gaps.length, { timeout: 10_000 }).toBeGreaterThan(0)
    await say('found')
    await expect.poll(() => heard.at(-1)).toBe('found')
    await expect.poll(listeners, { timeout: 5000 }).toBe(1)
  })

  test('when nobody is there for a while, it goes on trying, and says so once', async () => {
    const { gaps, logger } = await listening()
    await proxy.refuse()
    proxy.reset()
    await expect.poll(() => logger.lines.length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn'])
    await proxy.pass()
    await expect.poll(() => gaps.length, { timeout: 10_000 }).toBe(1)
  })

  test('when nobody is there at the start, it says so at once and leaves nothing behind', async () => {
    await proxy.refuse()
    await expect(listening()).rejects.toMatchObject({ kind: 'unavailable', code: 'database.unavailable' })
    await proxy.pass()
    expect(await listeners()).toBe(0)
  })

  test('when it stops, also while it connects or in a black hole, it is gone within its limit', async () => {
    const { heard, stop } = await listening()
    await stop()
    await expect.poll(listeners).toBe(0)
    await say('too late')
    expect(heard).toEqual([])

    const second = await listening()
    proxy.reset()
    await second.stop()
    const third = await listening()
    await proxy.blackhole()
    const from = performance.now()
    await third.stop()
    expect(performance.now() - from).toBeLessThan(3000)
    await proxy.pass()
    await expect.poll(listeners, { timeout: 5000 }).toBe(0)
  })

  test('when a process has stopped it, the process ends by itself', async () => {
    const program = `
      import { listen } from ${JSON.stringify(new URL('../../src/adapters/postgres/listener.ts', import.meta.url).href)}
      const stop = await listen({ url: process.env.LISTEN_URL, channel: 'c', onMessage() {}, onGap() {} })
      await stop()
      process.stdout.write('stopped')`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, LISTEN_URL: postgres.url },
      timeout: 10_000,
    })
    expect(stdout).toBe('stopped')
  })
})
