import { hash, type ParsedHashOptions, parseOptions, verify } from '@node-rs/argon2'
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { env } from 'node:process'
import type { PasswordHasher } from '../../core/auth/password-hasher.ts'
import { currentRequest } from '../../core/context/request-context.ts'
import { ServiceUnavailableError, ValidationError, withoutStack } from '../../foundation/errors.ts'
import { type Logger, silentLogger } from '../../foundation/logger.ts'
import { Permits } from '../../foundation/permits.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'

export interface PasswordHasherOptions {
  /** Memory of one hash in KiB, 8 per lane to 1 048 576. Default 19 456, the least OWASP advises with two iterations. */
  readonly memoryKiB?: number
  /** Passes over that memory, 1–64. Default 2 */
  readonly iterations?: number
  /** Lanes, 1–16. Default 1 */
  readonly parallelism?: number
  /**
   * Hashes made at once, 1–128; each holds `memoryKiB` and one thread of Node's pool. Default: the cores of the machine,
   * and fewer than the pool has threads (`UV_THREADPOOL_SIZE`, 4 unless set), so that files and host names are not kept
   * waiting by a crowd that signs in.
   */
  readonly maxConcurrent?: number
  /** Hashes that may wait for their turn, 0–10 000; the next one is refused at once. Default 64 */
  readonly maxQueued?: number
  /** Told of stored hashes that can't be ours. Default: nobody */
  readonly logger?: Logger
}

/**
 * Hashes passwords with argon2id and takes no more memory and threads for it than it was given.
 *
 * Passwords are taken whole and as they are, up to 1024 bytes of UTF-8: nothing is cut off, no case is changed, no
 * blank trimmed. Only canonical equivalence is undone (NFC), because `é` arrives as one character from some keyboards
 * and as two from others. Not NFKC: it would make different passwords equal, such as `²` and `2`.
 *
 * A stored hash that nobody here can have written, of another algorithm or of absurd costs, never matches; its costs
 * are not paid. One of lower costs than today's is verified faster than an unknown user: have it hashed anew
 * (`needsRehash`) at its owner's next login.
 *
 * @throws {RangeError} for an option out of its bounds
 * @see RFC 9106; RFC 8265 section 4.2 (OpaqueString); OWASP ASVS 5.0 V6.2.8 and V11.4.2
 */
export function createPasswordHasher(options: PasswordHasherOptions = {}): PasswordHasher {
  const costs = readCosts(options)
  const permits = new Permits({
    maxTaken: wholeNumber('maxConcurrent', options.maxConcurrent ?? defaultConcurrency(), 1, 128),
    maxWaiting: wholeNumber('maxQueued', options.maxQueued ?? 64, 0, 10_000),
    refusal: busy,
  })
  const logger = options.logger ?? silentLogger
  const nobody = hashOfNobody(costs)

  return {
    async hash(password) {
      const bytes = toBytes(password)
      return permits.run(() => hash(bytes, costs), currentRequest()?.signal)
    },
    async verify(stored, password) {
      const bytes = toBytes(password)
      const isOurs = stored !== undefined && isAcceptable(stored, costs, logger)
      const isEqual = await permits.run(() => verify(isOurs ? stored : nobody, bytes), currentRequest()?.signal)
      return isOurs && isEqual
    },
    needsRehash: (stored) => !hasCosts(parse(stored), costs),
  }
}

interface Costs {
  readonly memoryCost: number
  readonly timeCost: number
  readonly parallelism: number
}

function readCosts(options: PasswordHasherOptions): Costs {
  const parallelism = wholeNumber('parallelism', options.parallelism ?? 1, 1, 16)
  return {
    // RFC 9106 section 3.1 wants 8 KiB for each lane.
    memoryCost: wholeNumber('memoryKiB', options.memoryKiB ?? 19_456, 8 * parallelism, 1_048_576),
    timeCost: wholeNumber('iterations', options.iterations ?? 2, 1, 64),
    parallelism,
  }
}

function defaultConcurrency(): number {
  const threads = Number(env['UV_THREADPOOL_SIZE'] ?? 4)
  const spare = Number.isInteger(threads) ? threads - 1 : 3
  return Math.max(1, Math.min(availableParallelism(), spare, 128))
}

/** Of the same costs as every other, and of no password. */
function hashOfNobody({ memoryCost, timeCost, parallelism }: Costs): string {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '')
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${base64(16)}$${base64(32)}`
}

const maxPasswordBytes = 1024

/** @throws {ValidationError} in words that do not hold the password */
function toBytes(password: string): Uint8Array {
  // As bytes, lone halves of surrogate pairs would all be one replacement character, and different passwords equal.
  if (!password.isWellFormed()) {
    throw new ValidationError('The password holds characters that are no text.', { code: 'auth.password_malformed' })
  }
  if (Buffer.byteLength(password) > maxPasswordBytes) {
    throw new ValidationError(`A password has at most ${maxPasswordBytes} bytes in UTF-8.`, {
      code: 'auth.password_too_long',
    })
  }
  return Buffer.from(password.normalize('NFC'))
}

function isAcceptable(stored: string, costs: Costs, logger: Logger): boolean {
  const found = parse(stored)
  const refusal = found === undefined ? 'it is no argon2 hash' : refusalOf(found, costs)
  if (refusal === undefined) return true
  logger.error(
    { refusal },
    'A stored password hash is not one of ours: somebody wrote to the database past the service',
  )
  return false
}

// Room for hashes of an earlier, dearer setting and for the strongest in common use (RFC 9106 section 4: 64 MiB, 3).
const roomFactor = 4
const commonMemoryKiB = 65_536
const commonWork = commonMemoryKiB * 4

function refusalOf(found: ParsedHashOptions, { memoryCost, timeCost }: Costs): string | undefined {
  const mostMemory = Math.max(commonMemoryKiB, roomFactor * memoryCost)
  const mostWork = Math.max(commonWork, roomFactor * memoryCost * timeCost)
  if (Number(found.algorithm) !== argon2id || Number(found.version) !== version19)
    return 'it is not of argon2id, version 19'
  if (found.memoryCost > mostMemory || found.memoryCost * found.timeCost > mostWork) return 'its costs are absurd'
  if (found.parallelism > 16) return 'it has more lanes than any of ours'
  // RFC 9106 section 3.1 and 4: a salt of 16 bytes, 8 at the very least; a shorter output is guessed sooner.
  if (found.saltLen < 8 || found.outputLen < 16) return 'its salt or its output is too short'
  return undefined
}

function hasCosts(found: ParsedHashOptions | undefined, costs: Costs): boolean {
  return (
    found !== undefined &&
    Number(found.algorithm) === argon2id &&
    Number(found.version) === version19 &&
    found.memoryCost === costs.memoryCost &&
    found.timeCost === costs.timeCost &&
    found.parallelism === costs.parallelism &&
    found.outputLen >= 32 &&
    found.saltLen >= 16
  )
}

// The numbers of the package's const enums, which can't be imported where each file is compiled alone.
const argon2id = 2
const version19 = 1

function parse(stored: string): ParsedHashOptions | undefined {
  try {
    return parseOptions(stored)
  } catch {
    return undefined
  }
}

const busy = (): ServiceUnavailableError =>
  withoutStack(
    () =>
      new ServiceUnavailableError('auth.busy', 'Too many people sign in at this moment; try again in a second.', {
        retryAfterSeconds: 1,
      }),
  )
