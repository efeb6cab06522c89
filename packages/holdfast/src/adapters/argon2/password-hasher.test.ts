import { parseOptions, verify as verifyNatively } from '@node-rs/argon2'
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { withRequest } from '../../core/context/request-context.ts'
import { silentLogger } from '../../foundation/logger.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { createPasswordHasher } from './password-hasher.ts'

const small = { memoryKiB: 64, iterations: 1 }
const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '')

describe('given a hasher', () => {
  const hasher = createPasswordHasher(small)

  test('when a password is hashed, that one is verified and no other, and no two hashes are alike', async () => {
    const stored = await hasher.hash('tarred rope')
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$/)
    expect(stored).not.toBe(await hasher.hash('tarred rope'))
    expect(await hasher.verify(stored, 'tarred rope')).toBe(true)
    for (const other of ['Tarred rope', 'tarred rope ', ' tarred rope', 'tarred rop', 'tarred rope\0', '']) {
      expect(await hasher.verify(stored, other), JSON.stringify(other)).toBe(false)
    }
  })

  test('when nothing is set, the costs are those OWASP advises', async () => {
    const stored = await createPasswordHasher().hash('tarred rope')
    expect(parseOptions(stored)).toEqual({
      algorithm: 2,
      version: 1,
      memoryCost: 19_456,
      timeCost: 2,
      parallelism: 1,
      outputLen: 32,
      saltLen: 16,
    })
  })

  test('when passwords differ beyond the 72nd byte, or in the last of 1024, they differ', async () => {
    const long = 'a'.repeat(1023)
    const stored = await hasher.hash(`${long}b`)
    expect(await hasher.verify(stored, `${long}b`)).toBe(true)
    expect(await hasher.verify(stored, `${long}c`)).toBe(false)
    expect(await hasher.verify(stored, long)).toBe(false)
  })

  test.each([
    ['too long in letters', 'a'.repeat(1025), 'auth.password_too_long'],
    ['too long in bytes', '€'.repeat(342), 'auth.password_too_long'],
    ['half a character', 'canary-\ud83d', 'auth.password_malformed'],
  ])('when a password is %s, it is refused unhashed, in words that do not hold it', async (_, password, code) => {
    for (const attempt of [hasher.hash(password), hasher.verify(undefined, password)]) {
      const error = await attempt.catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ kind: 'invalid', code })
      expect(inspect(error)).not.toMatch(/canary|aaaa|€€/)
    }
  })

  test('when one keyboard sends an accent apart and another does not, it is the same password', async () => {
    const stored = await hasher.hash('cafe\u0301 des amis')
    expect(await hasher.verify(stored, 'caf\u00e9 des amis')).toBe(true)
  })

  test.each([
    ['²', '2'],
    ['ﬁ', 'fi'],
    ['Ａ', 'A'],
    ['ß', 'SS'],
    ['İ', 'i̇'],
    ['\u00a0', ' '],
  ])('when passwords differ by %j and %j, they are different passwords', async (one, other) => {
    expect(await hasher.verify(await hasher.hash(`password ${one}`), `password ${other}`)).toBe(false)
  })
})

describe('given the hash of another setting', () => {
  test('when it was made with other costs, it is verified and to be made anew', async () => {
    const now = createPasswordHasher({ memoryKiB: 128, iterations: 2 })
    const stored = await now.hash('tarred rope')
    expect(now.needsRehash(stored)).toBe(false)
    for (const before of [{ memoryKiB: 64 }, { memoryKiB: 256, iterations: 2 }, { memoryKiB: 128, parallelism: 2 }]) {
      const old = await createPasswordHasher({ iterations: 1, ...before }).hash('tarred rope')
      expect(await now.verify(old, 'tarred rope')).toBe(true)
      expect(now.needsRehash(old)).toBe(true)
    }
    expect(now.needsRehash('garbage')).toBe(true)
  })

  const foreign: readonly (readonly [string, string])[] = [
    ['costs 4 GiB', `$argon2id$v=19$m=4194304,t=1,p=1$${base64(16)}$${base64(32)}`],
    ['costs four billion passes', `$argon2id$v=19$m=64,t=4294967295,p=1$${base64(16)}$${base64(32)}`],
    ['has 255 lanes', `$argon2id$v=19$m=4096,t=1,p=255$${base64(16)}$${base64(32)}`],
    ['is of argon2i', `$argon2i$v=19$m=64,t=1,p=1$${base64(16)}$${base64(32)}`],
    ['is of version 16', `$argon2id$v=16$m=64,t=1,p=1$${base64(16)}$${base64(32)}`],
    ['has an output of 4 bytes', `$argon2id$v=19$m=64,t=1,p=1$${base64(16)}$${base64(4)}`],
    ['is of bcrypt', '$2b$12$canarycanarycanarycanaO1DTGRBXlIuJh7MQXMeXnYVQrqGm7mG'],
    ['is a password in clear', 'canary'],
    ['is empty', ''],
  ]
  test.each(foreign)('when it %s, it never matches, is not worked through, and is reported', async (_, stored) => {
    const logger = createRecordingLogger()
    const hasher = createPasswordHasher({ ...small, logger })
    expect(await hasher.verify(stored, 'canary')).toBe(false)
    expect(logger.lines.map(({ level }) => level)).toEqual(['error'])
    expect(inspect(logger.lines)).not.toMatch(/canary|\$argon2/)
    expect(hasher.needsRehash(stored)).toBe(true)
  })

  test('when argon2d made it of the right password, it does not match either', async () => {
    const stored = '$argon2d$v=19$m=64,t=1,p=1$JLKigESRRHX3iXVClW41/w$iarFNJHJal4j8peloHxtCUKVgVTMsy1k+E7JZvY6sBw'
    expect(await verifyNatively(stored, 'tarred rope')).toBe(true)
    expect(await createPasswordHasher(small).verify(stored, 'tarred rope')).toBe(false)
  })
})

const native = vi.hoisted(() => ({ verified: [] as string[] }))
// The real package, with a look at what it is asked to work through.
vi.mock('@node-rs/argon2', async (importOriginal) => {
  const real = await importOriginal<typeof import('@node-rs/argon2')>()
  return {
    ...real,
    verify: (...args: Parameters<typeof real.verify>) => {
      native.verified.push(String(args[0]))
      return real.verify(...args)
    },
  }
})
afterEach(() => {
  native.verified.length = 0
})

describe('given a user who does not exist', () => {
  test.each([undefined, 'garbage', `$argon2id$v=19$m=4194304,t=1,p=1$${base64(16)}$${base64(32)}`])(
    'when a password is verified against %j, the same work is done as for one who does',
    async (stored) => {
      const hasher = createPasswordHasher(small)
      expect(await hasher.verify(stored, 'tarred rope')).toBe(false)
      expect(native.verified).toHaveLength(1)
      const { memoryCost, timeCost, parallelism } = parseOptions(native.verified[0] as string)
      expect({ memoryCost, timeCost, parallelism }).toEqual({ memoryCost: 64, timeCost: 1, parallelism: 1 })
    },
  )
})

describe('given a hasher with one place and two to wait', () => {
  test('when four come at once, the fourth is told to come again, whether its user exists or not', async () => {
    const hasher = createPasswordHasher({ ...small, maxConcurrent: 1, maxQueued: 2 })
    const stored = await hasher.hash('tarred rope')
    for (const last of [stored, undefined]) {
      const three = [hasher.hash('a'), hasher.verify(stored, 'tarred rope'), hasher.verify(undefined, 'a')]
      await expect(hasher.verify(last, 'tarred rope')).rejects.toMatchObject({
        kind: 'unavailable',
        code: 'auth.busy',
        retryAfterSeconds: 1,
      })
      expect((await Promise.all(three)).slice(1)).toEqual([true, false])
    }
    expect(await hasher.verify(stored, 'tarred rope')).toBe(true)
  })

  test('when the client leaves while its turn has not come, nothing is hashed for it', async () => {
    const hasher = createPasswordHasher({ ...small, maxConcurrent: 1 })
    const gone = new AbortController()
    const context = {
      requestId: 'r',
      principal: undefined,
      isolation: undefined,
      clientAddress: '203.0.113.9',
      logger: silentLogger,
      signal: gone.signal,
      traceparent: '',
      remainingMs: () => 1000,
    }
    const first = hasher.hash('a')
    const second = withRequest(context, () => hasher.verify(undefined, 'b'), undefined)
    gone.abort(new Error('the client went away'))
    await expect(second).rejects.toThrow('the client went away')
    await first
    expect(native.verified).toEqual([])
  })
})

describe('given options out of bounds', () => {
  test.each([
    [{ memoryKiB: 7 }, 'memoryKiB is 7; it must be a whole number from 8 to 1048576'],
    [{ memoryKiB: 16, parallelism: 4 }, 'memoryKiB is 16; it must be a whole number from 32 to 1048576'],
    [{ iterations: 0 }, 'iterations is 0; it must be a whole number from 1 to 64'],
    [{ parallelism: 17 }, 'parallelism is 17; it must be a whole number from 1 to 16'],
    [{ maxConcurrent: 0 }, 'maxConcurrent is 0; it must be a whole number from 1 to 128'],
    [{ maxQueued: Number.NaN }, 'maxQueued is NaN; it must be a whole number from 0 to 10000'],
    [{ maxQueued: Number.POSITIVE_INFINITY }, 'maxQueued is Infinity; it must be a whole number from 0 to 10000'],
  ])('when it is %j, the service does not start', (options, message) => {
    expect(() => createPasswordHasher(options)).toThrow(new RangeError(message))
  })
})
