import { randomBytes } from 'node:crypto'
import { accessSync, constants, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../../core/lifecycle/free-port.ts'
import { startGuarded } from '../../../core/lifecycle/guarded-process.ts'
import type { Guarded } from '../../../core/lifecycle/guarded-process.ts'
import { wholeNumber } from '../../../foundation/whole-number.ts'
import { ping } from './ping.ts'

export interface EmbeddedRedisOptions {
  /** Further arguments of the server, such as `['--maxmemory', '64mb']`. Visible to every user of the machine. Default none */
  readonly flags?: readonly string[]
  /** The port, 1 to 65 535, for a server that comes back where it was. Default: a free one */
  readonly port?: number
  /** The password, in `[A-Za-z0-9_-]`, for a server that comes back as it was. Default: 192 random bits */
  readonly password?: string
  /** How long the start may take, milliseconds, 1 to 600 000. Default 10 000 */
  readonly startTimeoutMs?: number
}

/** A Redis server that lives as long as this process and keeps nothing. */
export interface EmbeddedRedis {
  /** Address with the password of the user `default`. */
  readonly url: string
  readonly port: number
  /** Id of the server, for tests that freeze (SIGSTOP) or kill it. */
  readonly pid: number
  /** Ends the server, a frozen one too. Later calls return the same promise. */
  stop(): Promise<void>
}

/**
 * Starts a real Redis or Valkey on 127.0.0.1, from the `redis-server` or `valkey-server` on PATH. For development and
 * tests: nothing is written to disk, and however this process ends, SIGKILL included, the server ends after it.
 *
 * @returns nothing when neither program is there
 * @throws {Error} in production, or when the server does not start, with what it says
 * @throws {RangeError | TypeError} for an option out of bounds
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions = {}): Promise<EmbeddedRedis | undefined> {
  refuseProduction()
  const { flags = [], port, password = randomBytes(24).toString('base64url'), startTimeoutMs = 10_000 } = options
  assertOptions({ port, password, startTimeoutMs })
  const program = onPath('redis-server') ?? onPath('valkey-server')
  if (program === undefined) return undefined

  const endsAt = performance.now() + startTimeoutMs
  for (;;) {
    const started = await start(program, { port: port ?? (await freePort()), password, flags, endsAt })
    if (typeof started !== 'string') return started
    const wasTaken = /address already in use/i.test(started)
    if (!wasTaken || port !== undefined || performance.now() > endsAt) {
      throw new Error(`The embedded Redis did not start; it says:\n${started.trim()}`)
    }
  }
}

function refuseProduction(): void {
  if (process.env['NODE_ENV'] !== 'production') return
  throw new Error('The embedded Redis is for development and tests; set REDIS_URL in production')
}

interface Checked {
  readonly port: number | undefined
  readonly password: string
  readonly startTimeoutMs: number
}

function assertOptions({ port, password, startTimeoutMs }: Checked): void {
  if (port !== undefined) wholeNumber('port', port, 1, 65_535)
  // It goes into a line of the server's configuration.
  if (!/^[\w-]{1,200}$/.test(password))
    throw new TypeError('password must be 1 to 200 characters of [A-Za-z0-9_-]; the one received is not shown')
  if (!(startTimeoutMs >= 1 && startTimeoutMs <= 600_000)) {
    throw new RangeError(`startTimeoutMs is ${startTimeoutMs}; it must be a number from 1 to 600000`)
  }
}

/** An empty or relative entry of PATH means the current folder: no place to take a server from. */
function onPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name))
    .find(isProgram)
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

interface Launch {
  readonly port: number
  readonly password: string
  readonly flags: readonly string[]
  readonly endsAt: number
}

/** @returns what the server said when it did not start */
async function start(program: string, { port, password, flags, endsAt }: Launch): Promise<EmbeddedRedis | string> {
  const guarded = await startGuarded({
    command: '/bin/sh',
    args: ['-c', script, 'redis', program, String(port), ...flags],
    env: { ...serverEnvironment, [passwordVariable]: password },
    account: undefined,
    // Nothing is worth an orderly end, and a frozen server would not hear of one.
    stopSignal: 'SIGKILL',
    folder: join(tmpdir(), `holdfast-redis-${randomBytes(9).toString('base64url')}`),
    isTemporary: true,
  })
  if (await isReady(guarded, { port, password, endsAt })) {
    guarded.unref()
    const url = `redis://:${password}@127.0.0.1:${port}`
    return { url, port, pid: guarded.pid, stop: () => guarded.stop() }
  }
  await guarded.stop()
  return guarded.log() || 'nothing'
}

const passwordVariable = 'HOLDFAST_PASSWORD'

// The password lies in a file that only this user can read; arguments can be read by every user of the machine.
// `exec` last, so that the guarded process is the server.
const script = `
program=$1 port=$2
shift 2
umask 077
printf 'requirepass %s\\n' "$${passwordVariable}" >redis.conf || exit 1
unset ${passwordVariable}
exec "$program" ./redis.conf --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir . --daemonize no "$@"
`

// All of it: nothing of this process should change what the server does or loads.
const serverEnvironment: NodeJS.ProcessEnv = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

async function isReady(guarded: Guarded, server: Omit<Launch, 'flags'>): Promise<boolean> {
  while (!guarded.hasEnded() && performance.now() < server.endsAt) {
    // Somebody else's server on this port would not know the password.
    if (await ping(server.port, server.password)) return !guarded.hasEnded()
    await delay(5)
  }
  return false
}
