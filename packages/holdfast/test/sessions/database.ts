import { readFileSync } from 'node:fs'
import pg from 'pg'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/adapters/postgres/embedded/embedded-postgres.ts'

const tables = new URL('../../sql/sessions.sql', import.meta.url)

/** A server whose database has the tables of sessions, and nothing else. */
export async function startSessionDatabase(): Promise<EmbeddedPostgres> {
  // A server that throws its data away answers before they are written; ours is to survive a crash.
  const server = await startEmbeddedPostgres({ flags: ['-c', 'synchronous_commit=on'] })
  await administer(server.url, readFileSync(tables, 'utf8'))
  return server
}

export async function administer(url: string, text: string, values?: unknown[]): Promise<pg.QueryResult> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return await client.query(text, values)
  } finally {
    await client.end().catch(() => {})
  }
}
