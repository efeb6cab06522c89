import { z } from 'zod'
import type { Database } from '../../src/adapters/postgres/database.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { ok } from '../../src/core/http/reply.ts'
import { get, type Route } from '../../src/core/http/route.ts'

// Statements that are quick, that wait and that work, so that they can be told apart in `pg_stat_activity`.

const Value = z.object({ value: z.number(), waited: z.number() })
const query = z.object({ ms: z.coerce.number().min(0).max(60_000).default(0) })

export function statementRoutes(database: Database): readonly Route[] {
  const waiting = (pool: string): number => database.stats().pools[pool]?.waiting ?? 0
  const answer = async (statement: ReturnType<typeof sql>): Promise<z.output<typeof Value>> => {
    const value = database.one(statement, (row: { readonly value: number }) => row.value)
    // Who is in line in the pool of the light routes once this has asked for its connection.
    const waited = waiting('interactive')
    return { value: await value, waited }
  }
  const sleepFor = (ms: number) => sql`select 1 as value, pg_sleep(${ms / 1000}) as slept`
  return [
    get('/light', { access: 'public', reply: { 200: Value } }, async () => ok(await answer(sql`select 1 as value`))),
    get('/slow', { access: 'public', query, reply: { 200: Value } }, async (call) =>
      ok(await answer(sleepFor(call.query.ms))),
    ),
    get('/hasty', { access: 'public', query, timeoutMs: 300, reply: { 200: Value } }, async (call) =>
      ok(await answer(sleepFor(call.query.ms))),
    ),
    get('/slow-steps', { access: 'public', query, reply: { 200: Value } }, (call) =>
      database.transaction(async () => {
        await answer(sql`select 1 as value`)
        return ok(await answer(sleepFor(call.query.ms)))
      }),
    ),
    get('/waits', { access: 'public', isolation: 'reporting', query, reply: { 200: Value } }, async (call) =>
      ok(await answer(sleepFor(call.query.ms))),
    ),
    get('/works', { access: 'public', isolation: 'reporting', reply: { 200: Value } }, async () =>
      ok(await answer(sql`select sum(n % 7)::int as value from generate_series(1, 400000) as n`)),
    ),
  ]
}
