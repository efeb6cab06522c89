import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { startEmbeddedRedis } from './embedded-redis.ts'
import type { EmbeddedRedis, EmbeddedRedisOptions } from './embedded-redis.ts'

const cleanUps: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

async function start(options?: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const server = await startEmbeddedRedis(options)
  if (server === undefined) throw new Error('No redis-server on PATH')
  cleanUps.push(() => server.stop())
  return server
}

async function ask(url: string, ...[name, ...args]: [string, ...string[]]): Promise<unknown> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null, commandTimeout: 5000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return await client.call(name, ...args)
  } finally {
    client.disconnect()
  }
}

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

function foldersIn(place: string): string[] {
  return readdirSync(place).filter((name) => name.startsWith('holdfast-redis-'))
}

describe('given an embedded Redis', () => {
  test('when it runs, it is a real one that keeps nothing and knows who may ask', async () => {
    const server = await start()
    const other = await start()

    expect(await ask(server.url, 'PING')).toBe('PONG')
    expect(await ask(server.url, 'CONFIG', 'GET', 'save')).toEqual(['save', ''])
    expect(await ask(server.url, 'CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no'])
    expect(await ask(server.url, 'CONFIG', 'GET', 'bind')).toEqual(['bind', '127.0.0.1'])
    expect(other.url).not.toBe(server.url)
    await expect(ask(server.url.replace(/:[^:@]+@/, ':wrong@'), 'PING')).rejects.toThrow()
    await expect(ask(server.url.replace(/:[^:@]+@/, ''), 'PING')).rejects.toThrow()
  })

  test('when it runs, its password is in no argument of a process', async () => {
    const server = await start()
    const password = new URL(server.url).password

    const lines = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => {
        try {
          return readFileSync(join('/proc', pid, 'cmdline'), 'utf8')
        } catch {
          return ''
        }
      })
    expect(lines.some((line) => line.includes(String(server.port)))).toBe(true)
    expect(lines.filter((line) => line.includes(password))).toEqual([])
  })

  test('when it is stopped, frozen as it may be, nothing is left', async () => {
    // Other tests start servers in the common one meanwhile.
    const place = mkdtempSync(join(tmpdir(), 'embedded-redis-test-'))
    cleanUps.push(() => rmSync(place, { recursive: true }))
    vi.stubEnv('TMPDIR', place)
    cleanUps.push(() => vi.unstubAllEnvs())
    const server = await start()
    expect(foldersIn(place)).toHaveLength(1)
    process.kill(server.pid, 'SIGSTOP')
    await Promise.all([server.stop(), server.stop()])

    expect(isRunning(server.pid)).toBe(false)
    expect(foldersIn(place)).toEqual([])
  })

  test('when it is killed, it can come back where it was', async () => {
    const first = await start()
    process.kill(first.pid, 'SIGKILL')
    await vi.waitFor(() => expect(isRunning(first.pid)).toBe(false))
    const again = await start({ port: first.port, password: new URL(first.url).password })

    expect(again.url).toBe(first.url)
    expect(await ask(first.url, 'PING')).toBe('PONG')
  })

  test('when a flag is given, the server has it, and when it is wrong, the error shows what the server says', async () => {
    const server = await start({ flags: ['--maxmemory', '32mb'] })

    expect(await ask(server.url, 'CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '33554432'])
    await expect(start({ flags: ['--no-such-setting', '1'] })).rejects.toThrow(/did not start[^]*no-such-setting/)
  })

  test('when the port is taken, it says so', async () => {
    const first = await start()

    await expect(start({ port: first.port })).rejects.toThrow(/did not start[^]*Address already in use/i)
  })

  test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('when its process ends by %s, it ends too', async (signal) => {
    const module = new URL('./embedded-redis.ts', import.meta.url).href
    const code = `
        const { startEmbeddedRedis } = await import(${JSON.stringify(module)})
        const server = await startEmbeddedRedis()
        process.stdout.write(String(server.pid) + '\\n')
        setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    cleanUps.push(() => child.kill('SIGKILL'))
    const pid = await new Promise<number>((resolve) => {
      child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(Number(text)))
    })
    expect(isRunning(pid)).toBe(true)
    child.kill(signal)

    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 10_000 })
  })

  test('when there is no server on PATH, there is nothing', async () => {
    vi.stubEnv('PATH', ':.:/no/such')
    cleanUps.push(() => vi.unstubAllEnvs())

    expect(await startEmbeddedRedis()).toBeUndefined()
  })

  test('when NODE_ENV is production, it refuses and says what to do', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    cleanUps.push(() => vi.unstubAllEnvs())

    await expect(startEmbeddedRedis()).rejects.toThrow('set REDIS_URL in production')
  })

  test.each([
    [{ port: 0 }, 'port is 0; it must be'],
    [{ port: 1.5 }, 'port is 1.5; it must be'],
    [{ startTimeoutMs: Number.NaN }, 'startTimeoutMs is NaN; it must be'],
    [{ password: 'a b\nuser' }, 'password must be 1 to 200 characters'],
  ])('when an option is %o, it is refused', async (options, message) => {
    await expect(startEmbeddedRedis(options)).rejects.toThrow(message)
  })
})
