import type { QueryResult } from 'pg'
import { type Connection, unnamed } from './connection.ts'
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
  try {
    return isSecured ? await sendSecured(connection, query, signal) : await send(connection, query, pool, signal)
  } catch (thrown) {
    if (signal?.aborted === true) throw signal.reason
    throw isAnswerLost(thrown) && mayWrite(query) ? outcomeUnknown(thrown) : translateError(thrown, constraints)
  } finally {
    pool.release(connection)
  }
}

async function send(
  connection: Connection,
  query: SqlQuery,
  { settings }: Workload,
  signal: AbortSignal | undefined,
): Promise<QueryResult> {
  try {
    const result = await connection.send(connection.configOf(query), signal)
    if (!connection.isInTransaction) return result
  } catch (thrown) {
    if (!settings.namedStatements || !isStaleStatement(thrown)) throw thrown
    settings.logger.warn(
      {},
      'A prepared statement went stale; its connection is replaced. Once after a migration this is normal; ' +
        'all the time it means a pooler in transaction mode: set namedStatements to false',
    )
    connection.break()
    return await connection.send(unnamed(query), signal)
  }
  connection.break()
  throw new Error('The query left a transaction open; it is rolled back. Use `transaction`')
}

/**
 * The statement in a transaction with who asks: four statements, one journey. Should the first fail, the last is still
 * one by itself, asked by nobody.
 */
async function sendSecured(
  connection: Connection,
  query: SqlQuery,
  signal: AbortSignal | undefined,
): Promise<QueryResult> {
  const who = currentRowAccess().query
  const [begun, identified, answered, committed] = await Promise.allSettled([
    connection.send({ text: 'begin' }, signal),
    connection.send(connection.configOf(who), signal),
    connection.send(connection.configOf(query), signal),
    connection.send({ text: 'commit' }),
  ])
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
