import type { QueryResult } from 'pg'
import { type Connection, type QueryConfig, unnamed } from './connection.ts'
import { isAnswerLost, isStaleStatement, translateError } from './errors.ts'
import { mayWrite } from './may-write.ts'
import type { QueryOptions } from './queries.ts'
import { currentRowAccess } from './row-security.ts'
import type { SqlQuery } from './sql.ts'
import type { Workload } from './workload.ts'
import { outcomeUnknown } from '../../core/transactions/store-errors.ts'

/** Runs one statement outside of any transaction, so that it is one by itself. */
export async function runAlone(
  pool: Workload,
  query: SqlQuery,
  { constraints }: QueryOptions,
  isSecured: boolean,
  signal: AbortSignal | undefined,
): Promise<QueryResult> {
  const connection = await pool.take(signal)
  const send = isSecured ? sendSecured : sendPlain
  try {
    const prepared = (one: SqlQuery): QueryConfig => connection.configOf(one)
    return await send(connection, query, prepared, signal).catch((thrown: unknown) => {
      replaceStale(thrown, connection, pool)
      return send(connection, query, unnamed, signal)
    })
  } catch (thrown) {
    if (signal?.aborted === true) throw signal.reason
    throw isAnswerLost(thrown) && mayWrite(query) ? outcomeUnknown(thrown) : translateError(thrown, constraints)
  } finally {
    pool.release(connection)
  }
}

type Send = (
  connection: Connection,
  query: SqlQuery,
  toConfig: (query: SqlQuery) => QueryConfig,
  signal: AbortSignal | undefined,
) => Promise<QueryResult>

/** Prepared statements that went stale were not looked at, so that the same may be sent once more without them. */
function replaceStale(thrown: unknown, connection: Connection, { settings }: Workload): void {
  if (!settings.namedStatements || !isStaleStatement(thrown)) throw thrown
  settings.logger.warn(
    {},
    'A prepared statement went stale; its connection is replaced. Once after a migration this is normal; ' +
      'all the time it means a pooler in transaction mode: set namedStatements to false',
  )
  connection.break()
}

const sendPlain: Send = async (connection, query, toConfig, signal) => {
  const result = await connection.send(toConfig(query), signal)
  if (!connection.isInTransaction) return result
  connection.break()
  throw new Error('The query left a transaction open; it is rolled back. Use `transaction`')
}

/**
 * The statement in a transaction with who asks: four statements, one journey. Should the first fail, the last is still
 * one by itself, asked by nobody.
 */
const sendSecured: Send = async (connection, query, toConfig, signal) => {
  const who = currentRowAccess().query
  const sent = connection.together(
    () =>
      [
        connection.send({ text: 'begin' }, signal),
        connection.send(toConfig(who), signal),
        connection.send(toConfig(query), signal),
        connection.send({ text: 'commit' }),
      ] as const,
  )
  const [begun, identified, answered, committed] = await Promise.allSettled(sent)
  const failed = [begun, identified, answered, committed].find(({ status }) => status === 'rejected')
  if (failed !== undefined) {
    // Whatever state it is in, it is not worth finding out.
    if (failed !== answered || committed.status === 'rejected') connection.break()
    throw (failed as PromiseRejectedResult).reason
  }
  if ((committed as PromiseFulfilledResult<QueryResult>).value.command !== 'COMMIT') {
    connection.break()
    throw new Error('The query ended the transaction that it ran in')
  }
  return (answered as PromiseFulfilledResult<QueryResult>).value
}
