import { connect } from './connection.ts'
import type { Argument, Call } from './connection.ts'
import { isReplyError } from './redis-errors.ts'
import { readRedisOptions } from './redis-options.ts'
import type { RedisOptions } from './redis-options.ts'
import { createSubscriber } from './redis-subscriber.ts'
import { hashOf } from './script.ts'
import type { RedisScript } from './script.ts'

export type { RedisOptions } from './redis-options.ts'
export type { RedisScript } from './script.ts'

/**
 * A Redis connection that fails fast and heals by itself. The only part of the driver the kit knows.
 * A command that failed with `redis.unavailable` may have been carried out all the same: only its answer was lost.
 */
export interface Redis {
  /**
   * Runs a script. Its keys get the prefix. Whole numbers come back as numbers and strings as text, or as Buffers when
   * the script says so; `nil` is null.
   *
   * @throws {ServiceUnavailableError} `redis.unavailable` when Redis is gone, frozen or slower than `commandTimeoutMs`
   * @throws {Error} the driver's, for a script that fails: a defect
   */
  run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>
  /**
   * Any other command that does not block, such as `('GET', key)`; keys get no prefix here: use {@link key}.
   *
   * @throws what {@link run} throws
   */
  command(name: string, ...args: readonly RedisArgument[]): Promise<unknown>
  /** A key with the prefix. */
  key(name: string): string
  /** Reaches who listens right now. The channel gets the prefix. @throws what {@link run} throws */
  publish(channel: string, message: string): Promise<void>
  /**
   * Listens on a connection of its own, shared by all channels. The channel gets the prefix.
   * `onGap` is called when messages may have been missed: the connection came back, or came to stand only after this
   * resolved, which it does after `connectTimeoutMs` also when Redis is gone. A connection that died without a word is
   * noticed within 1 s + `connectTimeoutMs`, and tried again at least each 1 s + `connectTimeoutMs`.
   *
   * @returns what ends it
   */
  subscribe(channel: string, onMessage: (message: string) => void, onGap: () => void): Promise<() => Promise<void>>
  /**
   * Resolves when Redis answers. Waits up to `connectTimeoutMs` for a connection.
   *
   * @throws {ServiceUnavailableError} `redis.unavailable`; its cause says why
   */
  check(signal?: AbortSignal): Promise<void>
  /** Waits for open commands up to `commandTimeoutMs`; later ones fail with `redis.unavailable`. Never rejects. */
  close(): Promise<void>
}

export type RedisArgument = string | number | Uint8Array

/**
 * Connects to a Redis, Valkey or Redis Cluster, in the background and for ever: a server that is gone is tried again
 * within a second or so, and meanwhile each command fails at once. Nothing waits in a queue for better times. One that
 * is frozen costs `commandTimeoutMs` per command, until after `connectTimeoutMs` without any answer it counts as gone.
 * In a cluster, commands for a node that is gone cost that much until the cluster says so.
 *
 * Not for blocking commands such as BLPOP: their wait would hold up everybody else's.
 *
 * @throws {RangeError | TypeError} for an option out of bounds, and for a URL that is none, without showing it
 */
export function createRedis(options: RedisOptions): Redis {
  const settings = readRedisOptions(options)
  const connection = connect(settings)
  const subscriber = createSubscriber(settings)
  const key = (name: string): string => settings.keyPrefix + name

  return {
    async run(script, keys, args) {
      assertKeys(script, keys)
      const rest = [keys.length, ...keys.map(key), ...args.map(toArgument)]
      return await connection.exchange((call) => runScript(call, script, rest))
    },
    async command(name, ...args) {
      return await connection.exchange((call) => call('text', name, args.map(toArgument)))
    },
    key,
    async publish(channel, message) {
      await connection.exchange((call) => call('text', 'PUBLISH', [key(channel), message]))
    },
    subscribe: (channel, onMessage, onGap) => subscriber.subscribe(key(channel), onMessage, onGap),
    async check(signal) {
      signal?.throwIfAborted()
      await connection.whenReady(signal)
      await connection.exchange((call) => call('text', 'PING', []))
    },
    async close() {
      await Promise.all([connection.close(), subscriber.close()])
    },
  }
}

function assertKeys({ numberOfKeys }: RedisScript, keys: readonly string[]): void {
  if (numberOfKeys === undefined || numberOfKeys === keys.length) return
  throw new TypeError(`The script takes ${numberOfKeys} keys; received ${keys.length}`)
}

/** Redis forgets scripts when it starts again, fails over or is told to; it is sent anew then. */
async function runScript(call: Call, script: RedisScript, rest: Argument[]): Promise<unknown> {
  const replies = script.replies ?? 'text'
  try {
    return await call(replies, 'EVALSHA', [hashOf(script), ...rest])
  } catch (error) {
    if (!isReplyError(error) || !error.message.startsWith('NOSCRIPT')) throw error
    return await call(replies, 'EVAL', [script.lua, ...rest])
  }
}

/** The driver takes bytes only as Buffers, and would write out any other array in words. */
function toArgument(value: RedisArgument): Argument {
  if (!(value instanceof Uint8Array)) return value
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
