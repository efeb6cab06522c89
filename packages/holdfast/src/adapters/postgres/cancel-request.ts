import { once } from 'node:events'
import pg from 'pg'

// What pg keeps of a session for this purpose, though not in its types.
interface Session {
  readonly processID: number | null
  readonly secretKey: number | null
  readonly host: string
  readonly port: number
  readonly ssl: boolean | object
  readonly sslNegotiation: 'postgres' | 'direct'
}

interface CancelConnection extends NodeJS.EventEmitter {
  connect(port: number, host: string): void
  connect(path: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
  readonly stream: { destroy(): void }
}

/**
 * Asks the server to end whatever a session is working on. Not `pg_cancel_backend`: this needs no free connection, no
 * rights and no password, and a pooler in between knows which session is meant.
 *
 * @returns whether the server has passed it on. If it has not within `timeoutMs`, it may still do so, at any time, and
 *   end whatever the session works on then. Never rejects: a request that gets lost leaves the statement to its timeout
 * @see PostgreSQL documentation, "Canceling Requests in Progress" (Frontend/Backend Protocol)
 */
export async function requestCancel(client: pg.ClientBase, timeoutMs: number): Promise<boolean> {
  const { processID, secretKey, host, port, ssl, sslNegotiation } = client as unknown as Session
  if (processID === null || secretKey === null) return true
  const config = { ssl, sslNegotiation }
  const connection = new pg.Connection(config) as unknown as CancelConnection
  // What breaks after the wait is over would find no listener, and end the process.
  connection.on('error', () => {})
  const send = (): void => connection.cancel(processID, secretKey)
  if (ssl === false) connection.once('connect', send)
  else {
    if (sslNegotiation !== 'direct') connection.once('connect', () => connection.requestSsl())
    connection.once('sslconnect', send)
  }
  // The server answers by closing.
  const closed = once(connection, 'end', { signal: AbortSignal.timeout(timeoutMs) })
  if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`)
  else connection.connect(port, host)
  try {
    await closed
    return true
  } catch {
    // Not to be reached, cut off on the way, or too slow.
    return false
  } finally {
    connection.stream.destroy()
  }
}
