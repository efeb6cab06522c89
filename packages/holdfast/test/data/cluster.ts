import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'
import { freeze, kill, thaw } from '../faults/processes.ts'
import { type FaultProxy, startProxy } from '../faults/proxy.ts'

/** A PostgreSQL that has bad days, behind a network that has them too. */
export interface Cluster {
  /** What services are told; stays the same when the server comes back elsewhere. */
  readonly url: string
  readonly proxy: FaultProxy
  /** Asks the server itself, past the proxy, on a connection of its own. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Ends the server in order, as an administrator does. */
  stop(): Promise<void>
  /** Starts it again on the same data. */
  start(): Promise<void>
  /** Kills one backend as a crash would, upon which the server ends all sessions and recovers. */
  crash(applicationName: string): Promise<void>
  /** Stops the server and all its children in the middle of whatever they do. */
  freeze(): Promise<void>
  /** The same for the process alone that takes new connections; sessions go on. */
  freezeEntrance(): Promise<void>
  thaw(): void
  remove(): Promise<void>
}

// What a power cut would do is not the matter here, and two cores are few.
const flags = ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'deadlock_timeout=50ms', '-c', 'autovacuum=off']

export async function startCluster(): Promise<Cluster> {
  const keep = join(tmpdir(), `holdfast-data-${process.pid}-${randomBytes(4).toString('hex')}`)
  let server: EmbeddedPostgres = await startEmbeddedPostgres({ keep, flags })
  const proxy = await startProxy(portOf(server))
  const url = new URL(server.url)
  url.port = String(proxy.port)
  const frozen: number[] = []

  const query = async <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> => {
    const client = new pg.Client({ connectionString: server.url, application_name: 'onlooker', query_timeout: 10_000 })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query<Row>(text, [...values])).rows
    } finally {
      await client.end()
    }
  }
  const freezeAll = async (pids: readonly number[]): Promise<void> => {
    for (const pid of pids) {
      // Backends come and go.
      await freeze(pid).catch(() => {})
      frozen.push(pid)
    }
  }
  const thawAll = (): void => {
    for (const pid of frozen.splice(0)) {
      try {
        thaw(pid)
      } catch {
        // It has gone.
      }
    }
  }
  return {
    url: url.href,
    proxy,
    query,
    stop: () => server.stop(),
    async start() {
      server = await startEmbeddedPostgres({ keep, flags })
      proxy.retarget(portOf(server))
    },
    async crash(applicationName) {
      const [victim] = await query<{ pid: number }>(
        'select pid from pg_stat_activity where application_name = $1 limit 1',
        [applicationName],
      )
      if (victim === undefined) throw new Error(`${applicationName} has no session`)
      await kill(victim.pid)
    },
    async freeze() {
      const postmaster = postmasterOf(server)
      // The parent first: a stopped one has no more children.
      await freezeAll([postmaster])
      await freezeAll(childrenOf(postmaster))
    },
    freezeEntrance: () => freezeAll([postmasterOf(server)]),
    thaw: thawAll,
    async remove() {
      thawAll()
      await proxy.stop()
      await server.stop()
      rmSync(server.directory, { recursive: true, force: true })
    },
  }
}

const portOf = ({ url }: EmbeddedPostgres): number => Number(new URL(url).port)

function postmasterOf({ directory }: EmbeddedPostgres): number {
  return Number(readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
}

function childrenOf(parent: number): number[] {
  return parents()
    .filter(([, of]) => of === parent)
    .map(([pid]) => pid)
}

/** Every process and its parent. A bare Linux has no `ps`, and macOS no /proc. */
function parents(): (readonly [pid: number, parent: number])[] {
  if (process.platform !== 'linux') {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString().trim().split('\n')
    return lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // The name before it is in brackets and may hold anything, brackets too: state, parent, …
        const rest = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1) ?? ''
        return [[Number(name), Number(rest.split(' ')[1])] as const]
      } catch {
        return []
      }
    })
}
