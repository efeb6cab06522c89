import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { serverAccount } from '../../src/adapters/postgres/embedded/account.ts'
import type { Account } from '../../src/adapters/postgres/embedded/account.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { keptFolder } from '../../src/adapters/postgres/embedded/server-folder.ts'
import { kill } from './processes.ts'
import { startProxy } from './proxy.ts'
import type { FaultProxy } from './proxy.ts'

/** A hot standby of another server, fed by its write-ahead log. */
export interface PostgresReplica {
  /** Where it is found, also when it has been killed and started again. */
  readonly url: string
  /** What every connection of `url` goes through. */
  readonly proxy: FaultProxy
  /** From now on it falls behind. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Resolves when it knows of everything that the primary has written until now. */
  catchUp(): Promise<void>
  /** Ends it as a crash would. */
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * @param flags - further arguments of the replica, such as `['-c', 'max_standby_streaming_delay=0']`
 * @see PostgreSQL documentation, "Making a Base Backup Using the Low Level API" and "Log-Shipping Standby Servers"
 */
export async function startReplica(primary: EmbeddedPostgres, flags: readonly string[] = []): Promise<PostgresReplica> {
  const keep = join(tmpdir(), `holdfast-replica-${randomBytes(6).toString('hex')}`)
  const account = serverAccount()
  const folder = keptFolder(keep, account)
  const slot = `replica_${randomBytes(4).toString('hex')}`
  await copyPrimary(primary, slot, folder.data, account)

  let server = await startEmbeddedPostgres({ keep, flags })
  const proxy = await startProxy(portOf(server))
  const url = new URL(server.url)
  url.port = String(proxy.port)

  const ask = (text: string) => query(server.url, text)
  return {
    url: url.href,
    proxy,
    pause: async () => {
      await ask('select pg_wal_replay_pause()')
      await until(async () => (await ask('select pg_get_wal_replay_pause_state()')) === 'paused')
    },
    resume: async () => void (await ask('select pg_wal_replay_resume()')),
    catchUp: async () => {
      // A commit takes along whatever else is still in memory.
      await query(primary.url, "set synchronous_commit = on; select pg_logical_emit_message(true, 'catch up', '')")
      const position = await query(primary.url, 'select pg_current_wal_flush_lsn()')
      await until(async () => (await ask(`select pg_last_wal_replay_lsn() >= '${String(position)}'`)) === true)
    },
    kill: async () => {
      const pid = Number(readFileSync(join(folder.data, 'postmaster.pid'), 'utf8').split('\n')[0])
      await kill(pid)
      await server.stop()
      proxy.reset()
    },
    start: async () => {
      server = await startEmbeddedPostgres({ keep, flags })
      proxy.retarget(portOf(server))
    },
    stop: async () => {
      await server.stop()
      await proxy.stop()
      rmSync(folder.path, { recursive: true, force: true })
      await query(primary.url, `select pg_drop_replication_slot('${slot}')`).catch(() => {})
    },
  }
}

async function copyPrimary(
  primary: EmbeddedPostgres,
  slot: string,
  data: string,
  account: Account | undefined,
): Promise<void> {
  const session = new pg.Client({ connectionString: primary.url })
  await session.connect()
  try {
    await session.query(`select pg_create_physical_replication_slot('${slot}', true)`)
    await session.query(`select pg_backup_start('${slot}', true)`)
    copyFolder(join(primary.directory, 'data'), data, '')
    const { rows } = await session.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)')
    writeFileSync(join(data, 'backup_label'), rows[0]?.labelfile ?? '')
  } finally {
    await session.end()
  }
  const { hostname, port, username, password } = new URL(primary.url)
  const source = `host=${hostname} port=${port} user=${username} password=${password}`
  appendFileSync(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\nprimary_slot_name = '${slot}'\n`)
  writeFileSync(join(data, 'standby.signal'), '')
  giveTo(data, account)
}

// What belongs to the running server and not to its data; its log comes by the slot.
const leftOut =
  /^(postmaster\.(pid|opts)|(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/.*)$/

function copyFolder(from: string, to: string, below: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const path = below + entry.name
    if (entry.isDirectory()) {
      if (!leftOut.test(path)) copyFolder(join(from, entry.name), join(to, entry.name), `${path}/`)
    } else if (!leftOut.test(path)) copyUnlessGone(join(from, entry.name), join(to, entry.name))
  }
}

/** Files come and go while the primary runs; those that matter are in the log as well. */
function copyUnlessGone(from: string, to: string): void {
  try {
    copyFileSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function giveTo(path: string, account: Account | undefined): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inside = join(path, entry.name)
    if (entry.isDirectory()) giveTo(inside, account)
    else if (account !== undefined) chownSync(inside, account.uid, account.gid)
  }
  chmodSync(path, 0o700)
  if (account !== undefined) chownSync(path, account.uid, account.gid)
}

async function query(url: string, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 10_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    const results = [await client.query<Record<string, unknown>>(text)].flat()
    const [row] = results.at(-1)?.rows ?? []
    return row === undefined ? undefined : Object.values(row)[0]
  } finally {
    await client.end()
  }
}

async function until(isReached: () => Promise<boolean>): Promise<void> {
  for (const endsAt = performance.now() + 20_000; !(await isReached()); await sleep(5)) {
    if (performance.now() > endsAt) throw new Error('The replica does not get there')
  }
}

const portOf = ({ url }: EmbeddedPostgres): number => Number(new URL(url).port)
