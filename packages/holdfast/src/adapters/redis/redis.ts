import type { Logger } from '../../foundation/logger.ts'

export interface RedisOptions {
  /** `redis://` or `rediss://`, with user, password and database as usual. Several: nodes of one cluster. */
  readonly url: string | readonly string[]
  /** The longest a command may take, 1–10 000 ms. Default 100. */
  readonly commandTimeoutMs?: number
  /** The longest a connection may take, 1–60 000 ms. Default 1000. */
  readonly connectTimeoutMs?: number
  /** Before each key, so that services can share a server. At most 64 characters of `[A-Za-z0-9:_-]`. Default none. */
  readonly keyPrefix?: string
  readonly logger?: Logger
}

/** A script that runs inside Redis, sent once and called by its hash from then on. */
export interface RedisScript {
  readonly lua: string
  /** The keys come first among the arguments; all of one call lie in one cluster slot. */
  readonly numberOfKeys: number | undefined
}

/** A Redis connection that fails fast and heals by itself. The only part of the driver the kit knows. */
export interface Redis {
  /** @throws {ServiceUnavailableError} `redis.unavailable` when Redis is gone, frozen or slower than `commandTimeoutMs` */
  run(script: RedisScript, keys: readonly string[], args: readonly (string | number | Uint8Array)[]): Promise<unknown>
  /** Any other command, such as `('GET', key)`; keys get no prefix here: use {@link key}. */
  command(name: string, ...args: readonly (string | number | Uint8Array)[]): Promise<unknown>
  /** A key with the prefix. */
  key(name: string): string
  publish(channel: string, message: string): Promise<void>
  /** Opens a connection of its own for it. `onGap` is called when that came back after it was gone. */
  subscribe(channel: string, onMessage: (message: string) => void, onGap: () => void): Promise<() => Promise<void>>
  /** Resolves when Redis answers. */
  check(signal?: AbortSignal): Promise<void>
  close(): Promise<void>
}
