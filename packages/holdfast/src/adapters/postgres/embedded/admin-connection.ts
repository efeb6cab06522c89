import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

/** A connection that may create and drop databases, while `work` has it. */
export async function administering<Result>(
  adminUrl: string,
  work: (admin: pg.Client) => Promise<Result>,
  queryTimeoutMs = 60_000,
): Promise<Result> {
  const admin = new pg.Client({
    connectionString: adminUrl,
    application_name: 'holdfast test databases',
    connectionTimeoutMillis: 5000,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
  })
  admin.on('error', () => {})
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.end().catch(() => {})
  }
}

const objectInUse = '55006'

/** Connections that were closed a moment ago may still be on their way out. */
export async function whenFree(act: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await act()
      return
    } catch (error) {
      if (codeOf(error) !== objectInUse || attempt === 5) throw error
      await delay(100 * attempt)
    }
  }
}

/** The SQLSTATE of what the server refused. */
export function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string } | undefined)?.code
}

export function urlOfDatabase(adminUrl: string, name: string): string {
  const url = readAdminUrl(adminUrl)
  url.pathname = `/${name}`
  return url.href
}

/** @throws {TypeError} for what is none, which may hold a password, so it is not shown */
export function readAdminUrl(adminUrl: unknown): URL {
  const url = typeof adminUrl === 'string' ? URL.parse(adminUrl) : null
  if (url !== null && /^postgres(ql)?:$/.test(url.protocol)) return url
  throw new TypeError('adminUrl is an address such as postgres://user:password@host:5432/postgres')
}
