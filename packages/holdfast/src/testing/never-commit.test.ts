import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDatabase } from '../adapters/postgres/database.ts'
import type { Database } from '../adapters/postgres/database.ts'
import type { DatabaseOptions } from '../adapters/postgres/database-options.ts'
import { startEmbeddedPostgres } from '../adapters/postgres/embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../adapters/postgres/embedded/embedded-postgres.ts'
import { createKysely } from '../adapters/postgres/kysely.ts'
import { sql } from '../adapters/postgres/sql.ts'
import { actAs } from '../core/context/acting.ts'
import { neverCommit } from './never-commit.ts'
import type { UncommittedChanges } from './never-commit.ts'

let server: EmbeddedPostgres
let admin: Database
let database: Database
let changes: UncommittedChanges

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  admin = createDatabase({ url: server.url, applicationName: 'admin' })
  await admin.execute(
    sql`create table notes (id int primary key, owner text not null default '', at timestamptz default now())`,
  )
  await admin.execute(sql`create table turns (id int constraint turns_key unique deferrable initially deferred)`)
  await admin.execute(sql`create role app_service`)
  await admin.execute(sql`grant select, insert, update, delete on notes, turns to app_service`)
  await admin.execute(sql`alter table notes enable row level security`)
  await admin.execute(
    sql`create policy own on notes using (owner in ('', current_setting('app.principal_id', true))) with check (true)`,
  )
}, 60_000)

beforeEach(async () => {
  database = opened()
  changes = await neverCommit(database)
})

afterEach(async () => {
  await changes.undo()
  await database.close()
  const left = await admin.query(sql`select id from notes union all select id from turns`)
  if (left.length > 0) throw new Error(`There is something left: ${JSON.stringify(left)}`)
})

afterAll(async () => {
  await admin?.close()
  await server?.stop()
})

const opened = (options: Partial<DatabaseOptions> = {}): Database =>
  createDatabase({ url: server.url, closeTimeoutMs: 1000, ...options })
const write = (id: number, owner = '') => database.execute(sql`insert into notes (id, owner) values (${id}, ${owner})`)
const notes = (one: Pick<Database, 'many'> = database) =>
  one.many(sql`select id from notes order by id`, (row: { readonly id: number }) => row.id)
const pid = () => database.one(sql`select pg_backend_pid() as pid`, (row: { readonly pid: number }) => row.pid)
const failure = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('It was to fail')
}

describe('given a test whose changes are never committed', () => {
  test.each(Array.from({ length: 20 }, (_, index) => index))(
    'when it writes, the next one finds nothing (%i)',
    async () => {
      expect(await notes()).toEqual([])
      await write(1)
      await database.transaction(() => write(2))
      expect(await notes()).toEqual([1, 2])
      expect(await notes(admin)).toEqual([])
    },
  )

  test('when a transaction of the app fails, what it wrote is gone and the rest stays', async () => {
    await write(1)
    const thrown = failure(
      database.transaction(async () => {
        await write(2)
        await database.transaction(() => write(3))
        await write(1)
      }),
    )
    expect(await thrown).toMatchObject({ code: 'database.already_exists' })
    expect(await notes()).toEqual([1])
  })

  test('when a statement fails outside of a transaction, the rest goes on', async () => {
    await write(1)
    expect(await failure(write(1))).toMatchObject({ kind: 'conflict' })
    expect(await failure(database.query(sql`select * from nowhere`))).toMatchObject({ code: '42P01' })
    await write(2)
    expect(await notes()).toEqual([1, 2])
  })

  test('when a statement fails in a transaction that goes on as if not, that is undone as it would be', async () => {
    const thrown = failure(
      database.transaction(async () => {
        await write(1)
        await write(1).catch(() => {})
      }),
    )
    expect(await thrown).toMatchObject({ code: 'database.already_exists' })
    expect(await notes()).toEqual([])
  })

  test('when a constraint is checked at the commit, it is checked where the app commits', async () => {
    const turn = (id: number) => database.execute(sql`insert into turns values (${id})`)
    await database.transaction(async () => {
      await turn(1)
      await turn(2)
      await database.execute(sql`update turns set id = 3 - id`)
    })
    const doubled = failure(
      database.transaction(async () => {
        await turn(1)
        await database.execute(sql`select 'still fine inside'`)
      }),
    )
    expect(await doubled).toMatchObject({ code: 'database.already_exists' })
    expect(await failure(turn(2))).toMatchObject({ kind: 'conflict' })
    // Deferred as before.
    await database.transaction(async () => {
      await turn(1)
      await database.execute(sql`delete from turns where ctid = (select max(ctid) from turns where id = 1)`)
    })
  })

  test('when a transaction of the app may only read, it cannot write, and the next one can', async () => {
    const reading = () => database.transaction(() => write(1), { readOnly: true })
    expect(await failure(reading())).toMatchObject({ code: '25006' })
    expect(await database.transaction(() => notes(), { readOnly: true })).toEqual([])
    await write(2)
    expect(await notes()).toEqual([2])
  })

  test('when a transaction asks for what the app asked for around it, that is fine; for more it is not', async () => {
    const inner = () => database.transaction(() => write(1), { isolation: 'serializable' })
    await database.transaction(inner, { isolation: 'serializable' })
    expect(String(await failure(database.transaction(inner)))).toContain('where the outermost begins')
    expect(await failure(database.transaction(async () => {}, { retries: 11 }))).toBeInstanceOf(RangeError)
  })

  test('when something is to happen after the commit, it happens where the app commits, and not when it is undone', async () => {
    const seen: unknown[] = []
    await database.transaction(async () => {
      database.afterCommit(async () => void seen.push(await notes()))
      await database.transaction(async () => database.afterCommit(() => write(2).then(() => void seen.push('written'))))
      await write(1)
      expect(seen).toEqual([])
    })
    const undone = database.transaction(async () => {
      database.afterCommit(() => void seen.push('never'))
      throw new Error('undo')
    })
    await failure(undone)
    database.afterCommit(() => void seen.push('at once'))
    expect(seen).toEqual([[1], 'written', 'at once'])
    expect(await notes()).toEqual([1, 2])
  })

  test('when much is asked at once, it is done one after another and each is whole', async () => {
    let open = 0
    let most = 0
    const work = (id: number) =>
      database.transaction(async () => {
        open += 1
        most = Math.max(most, open)
        await write(id)
        await Promise.all([notes(), notes()])
        open -= 1
        if (id % 3 === 0) throw new Error('undo')
        await write(id + 100)
      })
    const ended = await Promise.allSettled([...Array.from({ length: 30 }, (_, id) => work(id)), write(500)])
    expect(most).toBe(1)
    expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(10)
    expect(await notes()).toHaveLength(41)
  })

  test('when something is asked outside of the transaction, nobody waits for ever', async () => {
    await database.transaction(async () => {
      await write(1)
      await database.outsideTransaction(() => write(2))
      await database.outsideTransaction(() => database.transaction(() => write(3)))
    })
    expect(await notes()).toEqual([1, 2, 3])
  })

  test('when a transaction waits for what was asked beside it, it is told so in time for the test to say it', async () => {
    const requests = Promise.withResolvers<void>()
    const beside = requests.promise.then(() => write(2))
    const waiting = database.transaction(async () => {
      await write(1)
      requests.resolve()
      await beside
    })
    expect(String(await failure(waiting))).toContain('one is served at a time')
    await write(3)
    expect(await notes()).toEqual([3])
  }, 20_000)

  test('when rows are secured, each sees his own, and who forgets to ask as somebody sees those of nobody', async () => {
    const one = opened({ role: 'app_service' })
    const own = await neverCommit(one)
    const caller = (id: string) => ({ id, roles: [], permissions: [] })
    const add = (id: number, owner: string) => one.execute(sql`insert into notes (id, owner) values (${id}, ${owner})`)
    await add(1, 'ann')
    await add(2, 'bob')
    expect(await actAs(caller('ann'), () => notes(one.rowSecured))).toEqual([1])
    expect(await notes(one)).toEqual([])
    expect(await actAs(caller('bob'), () => one.rowSecured.transaction((tx) => notes(tx)))).toEqual([2])
    expect(await actAs(caller('bob'), () => one.transaction(() => notes(one)))).toEqual([])
    expect(await actAs(caller('ann'), () => one.rowSecured.transaction((tx) => notes(tx), { readOnly: true }))).toEqual(
      [1],
    )
    expect(await actAs(caller('bob'), () => notes(one.rowSecured))).toEqual([2])
    await own.undo()
    await one.close()
  })

  test('when it is undone, what is under way fails and is undone too, and then the database commits again', async () => {
    const begun = Promise.withResolvers<void>()
    const { promise, resolve } = Promise.withResolvers<void>()
    const late = failure(
      database.transaction(async () => {
        await write(1)
        begun.resolve()
        await promise
        await write(2)
      }),
    )
    const waiting = failure(write(3))
    await begun.promise
    await changes.undo()
    resolve()
    expect(String(await late)).toContain('used after its end')
    expect(String(await waiting)).toContain('The test is over')
    await write(4)
    expect(await notes(admin)).toEqual([4])
    await admin.execute(sql`delete from notes`)
  })

  test('when it is undone twice, or the database is closed first, that is fine and nobody waits', async () => {
    await write(1)
    await database.close()
    expect(await failure(write(2))).toMatchObject({ code: 'database.closed' })
    await Promise.all([changes.undo(), changes.undo()])
  })

  test('when it asks outside and inside of a transaction, that is one connection', async () => {
    expect(await pid()).toBe(await database.transaction(() => pid()))
  })

  test('when Kysely asks, that is undone as well', async () => {
    interface Tables {
      readonly notes: { readonly id: number }
    }
    const kysely = createKysely<Tables>(database)
    await kysely.insertInto('notes').values({ id: 1 }).execute()
    await database.transaction(() => kysely.insertInto('notes').values({ id: 2 }).execute())
    expect(await notes()).toEqual([1, 2])
  })

  test('when time is read, it stands still', async () => {
    const now = () => database.query(sql`select now()::text as now`)
    const before = await now()
    await database.query(sql`select pg_sleep(0.01)`)
    expect(await now()).toEqual(before)
  })
})

describe('given a test whose connection is lost', () => {
  test('when it is killed, the test is told, and the next one works', async () => {
    const one = opened()
    const own = await neverCommit(one)
    const read = () => one.one(sql`select pg_backend_pid() as pid`, (row: { readonly pid: number }) => row.pid)
    await one.execute(sql`insert into notes (id) values (1)`)
    const victim = await read()
    await admin.query(sql`select pg_terminate_backend(${victim})`)
    expect(await failure(read())).toMatchObject({ kind: 'unavailable', code: 'database.unavailable' })
    expect(await failure(one.transaction(read))).toMatchObject({ kind: 'unavailable' })
    expect(String(await failure(own.undo()))).toContain('connection that held the transaction of this test was lost')

    const next = await neverCommit(one)
    expect(await read()).not.toBe(victim)
    await one.execute(sql`insert into notes (id) values (1)`)
    await next.undo()
    await one.close()
  })

  test('when a query commits behind its back, nothing else is written and the test is told', async () => {
    const one = opened()
    const own = await neverCommit(one)
    const seen = await failure(one.execute(sql`commit`))
    expect(String(seen)).toContain('Leave begin, commit and rollback to `transaction`')
    await failure(one.execute(sql`insert into notes (id) values (1)`))
    await failure(one.transaction(() => one.execute(sql`insert into notes (id) values (2)`)))
    expect(await failure(own.undo())).toBeInstanceOf(Error)
    expect(await notes(admin)).toEqual([])
    await one.close()
  })
})

describe('given places where it has no business', () => {
  test('when it is production, it refuses', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    const other = opened()
    expect(String(await failure(neverCommit(other)))).toContain('for tests')
    vi.unstubAllEnvs()
    await other.close()
  })

  test('when it is not undone yet, asked twice at once, or inside of a transaction, it refuses', async () => {
    expect(String(await failure(neverCommit(database)))).toContain('in a transaction already')
    const other = opened()
    const [first, second] = await Promise.allSettled([neverCommit(other), neverCommit(other.rowSecured)])
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected'])
    await (first as PromiseFulfilledResult<UncommittedChanges>).value.undo()
    expect(String(await failure(other.transaction(() => neverCommit(other))))).toContain('in a transaction already')
    await other.close()
    expect(await failure(neverCommit(other))).toMatchObject({ code: 'database.closed' })
  })

  test('when it is given something else, or there is no server, it says so and leaves the database as it was', async () => {
    expect(await failure(neverCommit({} as Database))).toBeInstanceOf(TypeError)
    const gone = createDatabase({ url: 'postgres://u:p@127.0.0.1:1/none' })
    for (const _ of [1, 2]) expect(await failure(neverCommit(gone))).toMatchObject({ kind: 'unavailable' })
    expect(await failure(gone.query(sql`select 1`))).toMatchObject({ kind: 'unavailable' })
    await gone.close()
  })
})
