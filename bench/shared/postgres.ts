import { readFileSync } from 'node:fs'
import { createTestDatabase, startEmbeddedPostgres } from 'holdfast/embedded-postgres'
import pg from 'pg'
import type { Meter } from './load.ts'

export interface BenchPostgres extends Meter {
  /** An empty database, as its superuser. */
  createDatabase(): Promise<BenchDatabase>
  stop(): Promise<void>
}

export interface BenchDatabase {
  readonly url: string
  /** One connection for whatever is asked beside the load. */
  readonly client: pg.Client
  /** Another one with all that is in this one, in which nobody may ask anything from now on. */
  copy(): Promise<BenchDatabase>
}

// Vacuuming falls upon whoever has his turn.
const flags = ['-c', 'autovacuum=off', '-c', 'max_connections=200', '-c', 'shared_buffers=256MB']
/** Of the processor times in /proc, nearly everywhere. */
const microsPerTick = 10_000

/** A real server for all contenders, which starts where this process runs. */
export async function startPostgres(): Promise<BenchPostgres> {
  const server = await startEmbeddedPostgres({ flags })
  const clients = new Set<pg.Client>()
  const connect = async (url: string): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    clients.add(client)
    return client
  }
  const create = async (template?: string): Promise<BenchDatabase> => {
    const created = await createTestDatabase({ adminUrl: server.url, ...(template !== undefined && { template }) })
    const client = await connect(created.url)
    return {
      url: created.url,
      client,
      async copy() {
        if (clients.delete(client)) await client.end()
        return await create(created.name)
      },
    }
  }
  const admin = await connect(server.url)
  return {
    createDatabase: () => create(),
    async cpuMicros() {
      const { rows } = await admin.query<{ pid: number }>('select pid from pg_stat_activity')
      return rows.reduce((sum, { pid }) => sum + ticksOf(pid), 0) * microsPerTick
    },
    async stop() {
      for (const client of clients) await client.end()
      await server.stop()
    },
  }
}

/** Nothing to add up where there is no /proc: the sum is no number then, and no table shows it. */
function ticksOf(pid: number): number {
  try {
    // Behind the name of the program, which may hold anything, in the fields 14 and 15; see proc_pid_stat(5).
    const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ').slice(11, 13) ?? []
    return Number(user) + Number(system)
  } catch {
    return Number.NaN
  }
}
