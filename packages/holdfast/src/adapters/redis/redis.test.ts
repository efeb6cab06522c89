import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import type { RecordingLogger } from '../../testing/recording-logger.ts'
import { startEmbeddedRedis } from './embedded/embedded-redis.ts'
import type { EmbeddedRedis, EmbeddedRedisOptions } from './embedded/embedded-redis.ts'
import { createRedis } from './redis.ts'
import type { Redis, RedisOptions } from './redis.ts'

const cleanUps: (() => unknown)[] = []
const patience = { timeout: 10_000, interval: 10 }

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

async function startServer(options?: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const server = await startEmbeddedRedis(options)
  if (server === undefined) throw new Error('No redis-server on PATH')
  cleanUps.push(() => server.stop())
  return server
}

function open(url: string, options: Partial<RedisOptions> = {}): { redis: Redis; logger: RecordingLogger } {
  const logger = createRecordingLogger()
  // Machines that run tests are busy; how long a command may take is the matter of few tests.
  const redis = createRedis({ url, logger, commandTimeoutMs: 5000, ...options })
  cleanUps.push(() => redis.close())
  return { redis, logger }
}

async function opened(
  options: Partial<RedisOptions> = {},
): Promise<{ server: EmbeddedRedis; redis: Redis; logger: RecordingLogger }> {
  const server = await startServer()
  const parts = open(server.url, options)
  await parts.redis.check()
  return { server, ...parts }
}

/** One server back where another one was. */
function comeBack({ url, port }: EmbeddedRedis): Promise<EmbeddedRedis> {
  return startServer({ port, password: new URL(url).password })
}

const increment = { lua: `return redis.call('INCRBY', KEYS[1], ARGV[1])`, numberOfKeys: 1 }

function failure(
  work: Promise<unknown>,
): Promise<{ code?: string; kind?: string; message: string; cause?: Error; stack?: string }> {
  return work.then(
    () => {
      throw new Error('It did not fail')
    },
    (error: unknown) => error as never,
  )
}

/** What is left after it is what is held. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}

const messagesOf = ({ lines }: RecordingLogger): string[] => lines.map(({ level, message }) => `${level}: ${message}`)

describe('given a Redis that answers', () => {
  test('when a script runs, its keys have the prefix, numbers are numbers and nil is null', async () => {
    const { redis } = await opened({ keyPrefix: 'shop:' })
    const script = { lua: `return {redis.call('INCR', KEYS[1]), KEYS[1], ARGV[1], false, {1, 'ä'}}`, numberOfKeys: 1 }

    expect(await redis.run(script, ['a'], [7])).toEqual([1, 'shop:a', '7', null, [1, 'ä']])
    expect(await redis.command('GET', redis.key('a'))).toBe('1')
  })

  test('when the first command comes before the connection stands, it waits for it', async () => {
    const { url } = await startServer()
    const { redis } = open(url)

    expect(await redis.run(increment, ['a'], [1])).toBe(1)
  })

  test('when bytes go in and out, they stay as they are', async () => {
    const { redis } = await opened()
    const bytes = new Uint8Array([0, 255, 128, 13, 10, 195])
    const inTheMiddle = new Uint8Array([1, ...bytes, 2]).subarray(1, 7)
    const script = { lua: 'return {ARGV[1], ARGV[2], 5}', numberOfKeys: 0, replies: 'bytes' } as const

    expect(await redis.run(script, [], [bytes, inTheMiddle])).toEqual([Buffer.from(bytes), Buffer.from(bytes), 5])
  })

  test('when Redis forgets its scripts, the next call sends it anew, once', async () => {
    const { redis } = await opened()
    await redis.run(increment, ['a'], [1])
    await redis.command('SCRIPT', 'FLUSH')
    await redis.command('CONFIG', 'RESETSTAT')

    expect(await Promise.all([redis.run(increment, ['a'], [1]), redis.run(increment, ['a'], [1])])).toEqual([2, 3])
    expect(await redis.run(increment, ['a'], [1])).toBe(4)
    const stats = String(await redis.command('INFO', 'commandstats'))
    expect(stats).toMatch(/cmdstat_eval:calls=2,/)
    expect(stats).toMatch(/cmdstat_evalsha:calls=3,[^\n]*failed_calls=2/)
  })

  test('when a script is wrong, it is a defect, and shows neither keys nor arguments', async () => {
    const { redis } = await opened()
    const script = { lua: `return redis.call('HGET', KEYS[1], ARGV[1], ARGV[2])`, numberOfKeys: 1 }
    const error = await failure(redis.run(script, ['key-of-ann'], ['token-of-ann', 'x']))
    const unknown = await failure(redis.command('NOSUCH', 'token-of-ann'))

    expect(error.kind).toBeUndefined()
    expect(error.message).toMatch(/Wrong number of args/)
    expect(unknown.message).toMatch(/^ERR unknown command/)
    expect(inspect([error, unknown], { depth: 10 })).not.toContain('of-ann')
  })

  test('when the number of keys is not that of the script, it is refused here', async () => {
    const { redis } = await opened()

    await expect(redis.run(increment, [], [1])).rejects.toThrow('The script takes 1 keys; received 0')
  })

  test.each(['LOADING', 'READONLY', 'CLUSTERDOWN', 'MASTERDOWN', 'TRYAGAIN', 'OOM', 'MISCONF', 'BUSY'])(
    'when it answers %s, it is unavailable',
    async (word) => {
      const { redis } = await opened()
      const error = await failure(
        redis.run({ lua: `return redis.error_reply('${word} not now')`, numberOfKeys: 0 }, [], []),
      )

      expect(error).toMatchObject({ kind: 'unavailable', code: 'redis.unavailable', retryAfterSeconds: 1 })
      expect(error.cause?.message).toContain(`${word} not now`)
    },
  )

  test('when it says that it is a replica, the next command has another connection', async () => {
    const { redis } = await opened()
    const before = await redis.command('CLIENT', 'ID')
    await failure(redis.run({ lua: `return redis.error_reply('READONLY replica')`, numberOfKeys: 0 }, [], []))

    await vi.waitFor(async () => expect(await redis.command('CLIENT', 'ID')).not.toBe(before), patience)
  })

  test('when more commands wait than may, the next one fails at once', async () => {
    const { redis } = await opened({ maxPending: 100 })
    const outcomes = await Promise.allSettled(Array.from({ length: 150 }, () => redis.run(increment, ['a'], [1])))

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(100)
    expect(await redis.run(increment, ['a'], [1])).toBe(101)
  })

  test('when this process was busy for longer than a command may take, the answer still counts', async () => {
    const { redis } = await opened({ commandTimeoutMs: 50 })
    const answer = redis.command('INCR', 'a')
    await new Promise(setImmediate)
    const busyUntil = performance.now() + 200
    while (performance.now() < busyUntil);

    expect(await answer).toBe(1)
  })

  test('when it is closed, open commands are answered and later ones fail', async () => {
    const { redis } = await opened()
    const answer = redis.run(increment, ['a'], [1])
    await Promise.all([redis.close(), redis.close()])

    expect(await answer).toBe(1)
    expect(await failure(redis.command('PING'))).toMatchObject({ code: 'redis.unavailable' })
    expect(
      await failure(
        redis.subscribe(
          'c',
          () => {},
          () => {},
        ),
      ),
    ).toMatchObject({ code: 'redis.unavailable' })
  })
})

describe('given a Redis that is frozen', () => {
  test('when commands come, each fails in its time, then at once, and it heals when Redis thaws', async () => {
    const { server, redis, logger } = await opened({ commandTimeoutMs: 100, connectTimeoutMs: 300 })
    process.kill(server.pid, 'SIGSTOP')
    const first = await failure(redis.run(increment, ['a'], [1]))
    await vi.waitFor(() => expect(messagesOf(logger)).toHaveLength(1), patience)
    // With the limit of one command, none of a thousand one after the other could take its time.
    for (let i = 0; i < 1000; i += 1) await failure(redis.run(increment, ['a'], [1]))
    process.kill(server.pid, 'SIGCONT')

    expect(first).toMatchObject({ code: 'redis.unavailable', message: expect.stringContaining('within 100 ms') })
    await vi.waitFor(() => redis.check(), patience)
    await vi.waitFor(async () => expect(await redis.run(increment, ['b'], [1])).toBeGreaterThan(0), patience)
    expect(messagesOf(logger)).toEqual([
      'warn: Redis is not reachable; trying again until it is',
      'info: Redis is back',
    ])
  })

  test('when it was so before the first connection, commands and checks fail in their time', async () => {
    const server = await startServer()
    process.kill(server.pid, 'SIGSTOP')
    const { redis } = open(server.url, { commandTimeoutMs: 100, connectTimeoutMs: 300 })

    expect(await failure(redis.command('PING'))).toMatchObject({ code: 'redis.unavailable' })
    expect(await failure(redis.check())).toMatchObject({ code: 'redis.unavailable' })
    process.kill(server.pid, 'SIGCONT')
    await vi.waitFor(() => redis.check(), patience)
  })

  test('when a check is no longer wanted, it ends with the reason', async () => {
    const server = await startServer()
    process.kill(server.pid, 'SIGSTOP')
    const { redis } = open(server.url, { connectTimeoutMs: 60_000 })
    const reason = new Error('Nobody waits')
    const caller = new AbortController()
    const checked = failure(redis.check(caller.signal))
    caller.abort(reason)

    expect(await checked).toBe(reason)
    expect(await failure(redis.check(caller.signal))).toBe(reason)
  })

  test('when ten thousand commands come at once, those that may not wait fail at once', async () => {
    const { server, redis } = await opened({ maxPending: 1000, commandTimeoutMs: 100, connectTimeoutMs: 300 })
    process.kill(server.pid, 'SIGSTOP')
    const errors = await Promise.all(Array.from({ length: 10_000 }, () => failure(redis.run(increment, ['a'], [1]))))

    expect(errors.filter(({ message }) => message.includes('wait for Redis already'))).toHaveLength(9000)
    expect(errors.filter(({ code }) => code === 'redis.unavailable')).toHaveLength(10_000)
    await vi.waitFor(
      async () => expect((await failure(redis.command('PING'))).message).toContain('not reachable'),
      patience,
    )
  })
})

describe('given a Redis that is gone', () => {
  test('when it comes back on the same port, it heals by itself, scripts included', async () => {
    const { server, redis, logger } = await opened()
    await redis.run(increment, ['a'], [1])
    process.kill(server.pid, 'SIGKILL')
    await vi.waitFor(() => expect(messagesOf(logger)).toHaveLength(1), patience)

    expect(await failure(redis.run(increment, ['a'], [1]))).toMatchObject({ code: 'redis.unavailable' })
    await comeBack(server)
    await redis.check()
    expect(await redis.run(increment, ['a'], [1])).toBe(1)
    expect(messagesOf(logger)).toEqual([
      'warn: Redis is not reachable; trying again until it is',
      'info: Redis is back',
    ])
  })

  test('when it comes only after the service, nothing is thrown before, and commands work after', async () => {
    const server = await startServer()
    await server.stop()
    const { redis, logger } = open(server.url)
    const error = await failure(redis.check())
    const heard: string[] = []
    const gaps: string[] = []
    await redis.subscribe(
      'c',
      (message) => heard.push(message),
      () => gaps.push('gap'),
    )
    await comeBack(server)

    expect(error).toMatchObject({ kind: 'unavailable', code: 'redis.unavailable', retryAfterSeconds: 1 })
    expect(error.cause?.message).toContain('ECONNREFUSED')
    await vi.waitFor(() => redis.check(), patience)
    expect(messagesOf(logger).filter((line) => line.startsWith('warn: Redis is not reachable'))).toHaveLength(1)
    await vi.waitFor(() => expect(gaps).toEqual(['gap']), patience)
    await redis.publish('c', 'here')
    await vi.waitFor(() => expect(heard).toEqual(['here']), patience)
  })

  test('when a hundred thousand commands come, they leave nothing behind', async () => {
    const { server, redis, logger } = await opened()
    process.kill(server.pid, 'SIGKILL')
    await vi.waitFor(() => expect(messagesOf(logger)).toHaveLength(1), patience)
    const round = async (): Promise<number> => {
      for (let i = 0; i < 10; i += 1)
        await Promise.allSettled(Array.from({ length: 5000 }, () => redis.run(increment, ['a'], ['x'.repeat(100)])))
      collectGarbage()
      return process.memoryUsage().heapUsed
    }
    const before = await round()
    const after = await round()

    // 50 000 commands that stayed would be some 50 MB.
    expect(after - before).toBeLessThan(10_000_000)
    expect(messagesOf(logger)).toHaveLength(1)
  })
})

describe('given a password', () => {
  test('when it is wrong, the reason is told without it', async () => {
    const server = await startServer()
    const { redis, logger } = open(server.url.replace(/:[^:@]+@/, ':hunter2-secret@'))
    const error = await failure(redis.check())
    await vi.waitFor(() => expect(logger.lines).toHaveLength(1), patience)

    expect(error).toMatchObject({ code: 'redis.unavailable' })
    expect(error.cause?.message).toContain('WRONGPASS')
    const all = inspect([logger.lines, error], { depth: 10 })
    expect(all).toContain('WRONGPASS')
    expect(all).not.toContain('hunter2')
  })

  test('when it stands in a URL that is none, the error does not show it', () => {
    for (const url of [
      'http://:hunter2@h',
      'redis://:hunter2@',
      'redis://:hunter2@h/x',
      'hunter2',
      'redis://:hunter2@h?db=1',
      'redis://:%zz@h',
    ]) {
      expect(() => createRedis({ url })).toThrow(TypeError)
      expect(() => createRedis({ url })).not.toThrow(/hunter2|zz/)
    }
  })

  test('when it holds special characters, it is the one that was meant', async () => {
    const server = await startServer()
    const { redis } = open(server.url)
    await redis.command('ACL', 'SETUSER', 'ann', 'on', '>p@ss/w:ö%', '~*', '+@all')
    const { redis: other } = open(`redis://ann:${encodeURIComponent('p@ss/w:ö%')}@127.0.0.1:${server.port}/3`)

    await other.check()
    expect(await other.command('ACL', 'WHOAMI')).toBe('ann')
    expect(String(await other.command('CLIENT', 'INFO'))).toContain(' db=3 ')
  })
})

describe('given a subscription', () => {
  test("when several listen, each hears its channel, and a defect of one is not the next one's", async () => {
    const { redis, logger } = await opened({ keyPrefix: 'shop:' })
    const heard: string[] = []
    await redis.subscribe(
      'a',
      () => {
        throw new Error('a defect')
      },
      () => heard.push('gap'),
    )
    const stop = await redis.subscribe(
      'a',
      (message) => heard.push(`a ${message}`),
      () => heard.push('gap'),
    )
    await redis.subscribe(
      'b',
      (message) => heard.push(`b ${message}`),
      () => heard.push('gap'),
    )
    await redis.publish('a', 'one')
    await redis.publish('b', 'two')
    await vi.waitFor(() => expect(heard).toEqual(['a one', 'b two']), patience)
    await stop()
    await stop()
    await redis.publish('a', 'three')
    await redis.publish('b', 'four')

    await vi.waitFor(() => expect(heard).toEqual(['a one', 'b two', 'b four']), patience)
    expect(messagesOf(logger).filter((line) => line === 'error: A listener of a Redis channel failed')).toHaveLength(2)
    expect(await redis.command('PUBSUB', 'CHANNELS')).toEqual(expect.arrayContaining(['shop:a', 'shop:b']))
    expect(
      String(await redis.command('CLIENT', 'LIST', 'TYPE', 'PUBSUB'))
        .trim()
        .split('\n'),
    ).toHaveLength(1)
  })

  test('when nobody listens any more, its connection goes, and comes when somebody does', async () => {
    const { redis } = await opened()
    const heard: string[] = []
    const stop = await redis.subscribe(
      'a',
      () => {},
      () => {},
    )
    await stop()
    await vi.waitFor(async () => expect(await redis.command('CLIENT', 'LIST', 'TYPE', 'PUBSUB')).toBe(''), patience)
    await redis.subscribe(
      'a',
      (message) => heard.push(message),
      () => {},
    )
    await redis.publish('a', 'one')

    await vi.waitFor(() => expect(heard).toEqual(['one']), patience)
  })

  test('when its connection is cut, it comes back and each listener is told of the gap once', async () => {
    const { redis } = await opened()
    const heard: string[] = []
    await redis.subscribe(
      'a',
      (message) => heard.push(message),
      () => heard.push('gap a'),
    )
    await redis.subscribe(
      'b',
      (message) => heard.push(message),
      () => heard.push('gap b'),
    )
    await redis.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
    await vi.waitFor(() => expect(heard).toEqual(['gap a', 'gap b']), patience)
    await redis.publish('a', 'after')

    await vi.waitFor(() => expect(heard).toEqual(['gap a', 'gap b', 'after']), patience)
  })

  test('when Redis freezes while nothing is said, that is noticed, and the gap told after it thaws', async () => {
    const { server, redis, logger } = await opened({ connectTimeoutMs: 300 })
    const heard: string[] = []
    await redis.subscribe(
      'a',
      (message) => heard.push(message),
      () => heard.push('gap'),
    )
    process.kill(server.pid, 'SIGSTOP')
    await vi.waitFor(
      () => expect(messagesOf(logger)).toContain('warn: Redis is not heard; trying again until it is'),
      patience,
    )
    process.kill(server.pid, 'SIGCONT')

    await vi.waitFor(() => expect(heard).toEqual(['gap']), patience)
    expect(messagesOf(logger)).toContain('info: Redis is heard again')
  })
})

describe('given options', () => {
  test.each([
    [{ commandTimeoutMs: 0 }, 'commandTimeoutMs is 0; it must be a whole number from 1 to 10000'],
    [{ connectTimeoutMs: 60_001 }, 'connectTimeoutMs is 60001; it must be a whole number from 1 to 60000'],
    [{ maxPending: Number.NaN }, 'maxPending is NaN; it must be a whole number from 1 to 1000000'],
    [{ keyPrefix: 'a b' }, 'keyPrefix is "a b"; it must be at most 64 characters of [A-Za-z0-9:_-]'],
    [{ keyPrefix: '{tag}' }, 'keyPrefix is "{tag}"; it must be'],
    [{ url: [] }, 'at least one'],
    [{ url: ['redis://a/1', 'redis://b/1'] }, 'a cluster has no database but 0'],
    [{ url: ['redis://:x@a', 'redis://:y@b'] }, 'share user, password and protocol'],
  ])('when they are %o, they are refused', (options, message) => {
    expect(() => createRedis({ url: 'redis://127.0.0.1', ...options })).toThrow(message)
  })
})
