import { AsyncLocalStorage } from 'node:async_hooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { actAs, currentCaller } from '../../core/context/acting.ts'
import { ConflictError } from '../../foundation/errors.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import type { DatabaseOptions } from './database-options.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { sql } from './sql.ts'

let server: EmbeddedPostgres
let admin: Database
const opened: Database[] = []

function open(options: Partial<DatabaseOptions> = {}): Database {
  const one = createDatabase({ url: server.url, connectionTimeoutMs: 1000, ...options })
  opened.push(one)
  return one
}

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  admin = createDatabase({ url: server.url, applicationName: 'admin' })
  await admin.execute(sql`create table notes (id int primary key)`)
}, 60_000)

beforeEach(() => admin.execute(sql`truncate notes`))

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()))
})

afterAll(async () => {
  await admin?.close()
  await server?.stop()
})

const write = (id: number, one: Database) => one.execute(sql`insert into notes values (${id})`)
const notes = () => admin.many(sql`select id from notes order by id`, (row: { readonly id: number }) => row.id)

/** A query that begins when somebody waits for it, as those of some libraries do. */
function lazily<Result>(begin: () => Promise<Result>): Promise<Result> {
  const lazy: PromiseLike<Result> = {
    then: (resolve, reject) => begin().then(resolve, reject),
  }
  return lazy as Promise<Result>
}

describe('given work that begins when somebody waits for it', () => {
  test('when it is that of a transaction, or of a part, it happens inside', async () => {
    const one = open({ maxConnections: 1 })
    const work = async (): Promise<void> => {
      await write(1, one)
      await one.transaction(() => lazily(() => write(2, one)))
      throw new Error('Never mind')
    }
    await expect(one.transaction(work)).rejects.toThrow('Never mind')
    expect(await one.transaction(() => lazily(() => write(3, one)))).toBe(1)
    expect(await notes()).toEqual([3])
  })

  test('when it is to happen outside, it does', async () => {
    const one = open({ maxConnections: 2 })
    const work = async (): Promise<void> => {
      await one.outsideTransaction(() => lazily(() => write(1, one)))
      throw new Error('Never mind')
    }
    await expect(one.transaction(work)).rejects.toThrow('Never mind')
    expect(await notes()).toEqual([1])
  })
})

describe('given what is to happen after the commit', () => {
  test('when it was asked for on behalf of another, it happens on their behalf', async () => {
    const one = open()
    const seen: unknown[] = []
    await actAs({ id: 'ann' }, () =>
      one.transaction(async () => {
        one.afterCommit(() => void seen.push(currentCaller()?.id))
        actAs({ id: 'bob' }, () => one.afterCommit(() => void seen.push(currentCaller()?.id)))
        await write(1, one)
      }),
    )
    expect(seen).toEqual(['ann', 'bob'])
  })

  test('when the database closes meanwhile, it is waited for, and may ask', async () => {
    const logger = createRecordingLogger()
    const one = open({ logger })
    const isAfter = Promise.withResolvers<void>()
    const mayGoOn = Promise.withResolvers<void>()
    const done = one.transaction(async () => {
      await write(1, one)
      one.afterCommit(async () => {
        isAfter.resolve()
        await mayGoOn.promise
        await write(2, one)
      })
    })
    await isAfter.promise
    const closed = one.close()
    await expect(write(3, one)).rejects.toMatchObject({ code: 'database.closed' })
    mayGoOn.resolve()
    await Promise.all([closed, done])
    expect(logger.lines).toEqual([])
    expect(await notes()).toEqual([1, 2])
  })
})

test('given a transaction that asks outside of itself, when the database closes meanwhile, it comes to its end', async () => {
  const one = open()
  let closed: Promise<void> | undefined
  await one.transaction(async () => {
    await write(1, one)
    closed = one.close()
    await one.outsideTransaction(() => write(2, one))
  })
  await closed
  expect(await notes()).toEqual([1, 2])
})

test('given a transaction inside of one of another database, when it has to be run again, the outer one is, and does all of it once', async () => {
  const outer = open()
  const inner = open()
  let runs = 0
  const work = async (): Promise<void> => {
    await write(10, inner)
    await write(20, outer)
    runs += 1
    if (runs === 1) await inner.execute(sql`do $$ begin raise serialization_failure; end $$`)
  }
  await outer.transaction(() => inner.transaction(work))
  expect(runs).toBe(2)
  expect(await notes()).toEqual([10, 20])
})

describe('given a constraint whose meaning is thrown in place of being returned', () => {
  const constraints = {
    notes_pkey: (cause: unknown) => {
      throw new ConflictError('notes.taken', 'It is taken.', { cause })
    },
  }

  test.each(['at first', 'again'])(
    'when the first query of a transaction violates it, %s, that is all',
    async (time) => {
      const one = open({ maxConnections: 1 })
      await write(1, admin)
      if (time === 'again') await one.transaction(() => one.query(sql`select 1`))
      const thrown = one.transaction(() => one.execute(sql`insert into notes values (1)`, { constraints }))
      // That nothing is rejected which nobody waits for, the runner sees: it would end a process.
      await expect(thrown).rejects.toMatchObject({ code: 'notes.taken' })
    },
  )
})

test.each([
  ['commit and chain', [1]],
  ['rollback and chain', []],
] as const)(
  'given a transaction, when a query ends it by %s and so begins another, that is a defect and no more is written',
  async (text, expected) => {
    const one = open()
    const work = async (): Promise<void> => {
      await write(1, one)
      await one.execute(text === 'commit and chain' ? sql`commit and chain` : sql`rollback and chain`)
      await write(2, one)
    }
    await expect(one.transaction(work)).rejects.toThrow('Leave begin, commit and rollback to `transaction`')
    expect(await notes()).toEqual(expected)
  },
)

test('given a connection, when it is lost, that belongs to no request, nor does anything else of it', async () => {
  const logger = createRecordingLogger()
  const here = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const one = open({
    applicationName: 'kept',
    logger: { ...logger, warn: () => void seen.push(here.getStore()) },
  })
  await here.run('a request of long ago', () => one.query(sql`select 1`))
  await admin.query(sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kept'`)
  await vi.waitFor(() => expect(seen).toEqual([undefined]))
})

test('given a part that ends before a statement of it has failed, when it is undone, that statement says why', async () => {
  const one = open({ maxConnections: 1 })
  const work = async (): Promise<void> => {
    await write(1, one)
    await one.transaction(async () => void one.query(sql`select 1 / 0`).catch(() => {}))
  }
  await expect(one.transaction(work)).rejects.toMatchObject({ code: '22012' })
  expect(await notes()).toEqual([])
})

test('given a number that JavaScript would round, when it is read, that costs neither the connection nor the transaction', async () => {
  const one = open({ maxConnections: 1 })
  const pid = () => one.query(sql`select pg_backend_pid() as pid`)
  const before = await pid()
  const read = () => one.query(sql`select 9007199254740993::int8`)
  await expect(read()).rejects.toThrow(RangeError)
  await expect(one.rowSecured.query(sql`select 9007199254740993::int8`)).rejects.toThrow(RangeError)
  await one.transaction(async () => {
    await expect(read()).rejects.toThrow(RangeError)
    await write(1, one)
  })
  expect(await pid()).toEqual(before)
  expect(await notes()).toEqual([1])
})

test('given a copy from the client, when it is asked for, it is refused, and the connection serves the next', async () => {
  const one = open({ maxConnections: 1 })
  const pid = () => one.query(sql`select pg_backend_pid() as pid`)
  const before = await pid()
  await expect(one.execute(sql`copy notes from stdin`)).rejects.toThrow()
  expect(await pid()).toEqual(before)
})
