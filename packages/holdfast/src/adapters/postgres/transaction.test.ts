import { request } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { withRequest } from '../../core/context/request-context.ts'
import type { RequestContext } from '../../core/context/request-context.ts'
import { ConflictError } from '../../foundation/errors.ts'
import { silentLogger } from '../../foundation/logger.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import type { DatabaseOptions } from './database-options.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { createTestDatabase } from './embedded/test-database.ts'
import { sql } from './sql.ts'

let server: EmbeddedPostgres
let url: string
let admin: Database
let database: Database
const opened: Database[] = []

function open(options: Partial<DatabaseOptions> = {}): Database {
  const one = createDatabase({ url, closeTimeoutMs: 500, ...options })
  opened.push(one)
  return one
}

beforeAll(async () => {
  server = await startEmbeddedPostgres({ flags: ['-c', 'deadlock_timeout=50ms'] })
  const created = await createTestDatabase({ adminUrl: server.url })
  url = created.url
  admin = createDatabase({ url, applicationName: 'admin' })
  await admin.execute(sql`create table notes (id int primary key, text text not null default '')`)
  await admin.execute(sql`create table purses (id int primary key, coins int not null check (coins >= 0))`)
}, 60_000)

beforeEach(async () => {
  database = open()
  await admin.execute(sql`truncate notes, purses`)
  await admin.execute(sql`insert into purses select id, 100 from generate_series(1, 8) as id`)
})

afterEach(async () => {
  for (const one of opened) {
    await vi.waitFor(() => {
      const { total, idle } = one.stats()
      if (idle !== total) throw new Error(`Of ${total} connections, ${total - idle} did not come back`)
    })
  }
  await Promise.all(opened.splice(0).map((one) => one.close()))
})

afterAll(async () => {
  await admin?.close()
  await server?.stop()
})

const write = (id: number, one: Pick<Database, 'execute'> = database) =>
  one.execute(sql`insert into notes (id) values (${id})`)
const notes = () => admin.many(sql`select id from notes order by id`, (row: { readonly id: number }) => row.id)
const pid = (one: Pick<Database, 'one'> = database) =>
  one.one(sql`select pg_backend_pid() as pid`, (row: { readonly pid: number }) => row.pid)
const kill = (id: number) => admin.query(sql`select pg_terminate_backend(${id})`)
const failure = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('It was to fail')
}

function requestOf(signal: AbortSignal): RequestContext {
  return {
    requestId: 'r',
    clientAddress: '203.0.113.9',
    principal: undefined,
    isolation: undefined,
    logger: silentLogger,
    signal,
    traceparent: '',
    remainingMs: () => 1000,
  }
}

describe('given a transaction', () => {
  test('when its work is done, all of it is there, and its result comes back', async () => {
    const result = await database.transaction(async () => {
      await write(1)
      await write(2)
      expect(await notes()).toEqual([])
      return 'done'
    })
    expect(result).toBe('done')
    expect(await notes()).toEqual([1, 2])
  })

  test('when its work throws, nothing is there and what it threw comes out', async () => {
    const reason = new ConflictError('shop.closed', 'The shop is closed.')
    const thrown = failure(
      database.transaction(async () => {
        await write(1)
        throw reason
      }),
    )
    expect(await thrown).toBe(reason)
    expect(await notes()).toEqual([])
  })

  test('when a statement fails and the work goes on as if not, nothing is committed and the first failure comes out', async () => {
    const thrown = await failure(
      database.transaction(async () => {
        await write(1)
        await write(1).catch(() => {})
      }),
    )
    expect(thrown).toMatchObject({ kind: 'conflict', code: 'database.already_exists' })
    expect(await notes()).toEqual([])
  })

  test('when a statement after a failed one fails, it says what failed first', async () => {
    const thrown = await failure(
      database.transaction(async () => {
        await write(1)
        await write(1).catch(() => {})
        await write(2)
      }),
    )
    expect(thrown).toMatchObject({ code: 'database.already_exists' })
  })

  test('when a constraint is checked only at the commit, its violation comes out', async () => {
    await admin.execute(sql`drop table if exists late`)
    await admin.execute(sql`create table late (id int constraint late_key unique deferrable initially deferred)`)
    const twice = failure(
      database.transaction(async () => {
        await database.execute(sql`insert into late values (1)`)
        await database.execute(sql`insert into late values (1)`)
      }),
    )
    expect(await twice).toMatchObject({ kind: 'conflict' })
    expect(await admin.query(sql`select * from late`)).toEqual([])
  })

  test('when statements are asked for at once, they run one after another on its connection', async () => {
    await database.transaction(async () => {
      const ids = await Promise.all([1, 2, 3, 4].map(() => pid()))
      await Promise.all([5, 6, 7].map((id) => write(id)))
      expect(new Set(ids).size).toBe(1)
    })
    expect(await notes()).toEqual([5, 6, 7])
  })

  test('when it is handed on, the same may be asked of it by name', async () => {
    await database.transaction(async (tx) => {
      await write(1, tx)
      expect(await pid(tx)).toBe(await pid())
      await tx.transaction((inner) => write(2, inner))
    })
    expect(await notes()).toEqual([1, 2])
  })

  test('when another database is asked inside, that one is outside', async () => {
    const other = open()
    const thrown = database.transaction(async () => {
      await write(1, other)
      throw new Error('undo')
    })
    await failure(thrown)
    expect(await notes()).toEqual([1])
  })

  test('when something is asked outside of it, that stays', async () => {
    const undone = database.transaction(async () => {
      await write(1)
      await database.outsideTransaction(() => write(2))
      throw new Error('undo')
    })
    await failure(undone)
    expect(await notes()).toEqual([2])
  })

  test('when it may only read, a write is refused', async () => {
    const thrown = failure(database.transaction(() => write(1), { readOnly: true }))
    expect(await thrown).toMatchObject({ code: '25006' })
  })

  test.each([
    ['read committed', 'read committed'],
    ['repeatable read', 'repeatable read'],
    ['serializable', 'serializable'],
    [undefined, 'read committed'],
  ] as const)('when its isolation is %s, the server has %s', async (isolation, shown) => {
    const options = isolation === undefined ? {} : { isolation }
    const rows = await database.transaction(
      () => database.query(sql`select current_setting('transaction_isolation') as level`),
      options,
    )
    expect(rows).toEqual([{ level: shown }])
  })

  test.each([
    [{ isolation: 'snapshot' }, TypeError],
    [{ retries: 11 }, RangeError],
    [{ retries: -1 }, RangeError],
    [{ timeoutMs: 0 }, RangeError],
  ])('when its options are %j, they are refused', async (options, kind) => {
    expect(await failure(database.transaction(() => write(1), options as never))).toBeInstanceOf(kind)
    expect(await notes()).toEqual([])
  })

  test('when a query ends it behind its back, that is a defect and nothing more is written', async () => {
    const thrown = await failure(
      database.transaction(async () => {
        await write(1)
        await database.execute(sql`rollback`)
        await write(2)
      }),
    )
    expect(String(thrown)).toContain('Leave begin, commit and rollback to `transaction`')
    expect(await notes()).toEqual([])
  })

  test('when the work makes nothing of that, nothing more is written either', async () => {
    const thrown = await failure(
      database.transaction(async () => {
        await database.execute(sql`commit`).catch(() => {})
        await write(1).catch(() => {})
        await database.transaction(() => write(2)).catch(() => {})
      }),
    )
    expect(String(thrown)).toContain('Leave begin, commit and rollback to `transaction`')
    expect(await notes()).toEqual([])
  })
})

describe('given a BEGIN that travels with the first statement', () => {
  /** A connection that believes to have prepared what the server does not know any more. */
  async function forgetful(): Promise<Database> {
    const one = open({ maxConnections: 1 })
    await one.transaction(() => write(1, one))
    await one.execute(sql`deallocate all`)
    return one
  }

  test('when BEGIN fails, the statement behind it is not committed by itself', async () => {
    const one = await forgetful()
    const thrown = await failure(one.transaction(() => Promise.all([write(2, one), write(3, one)]), { retries: 0 }))
    expect(thrown).toMatchObject({ code: '26000' })
    expect(await notes()).toEqual([1])
  })

  test('when it may be tried again, that is on another connection, and all is there once', async () => {
    const one = await forgetful()
    await one.transaction(() => Promise.all([write(2, one), write(3, one)]))
    expect(await notes()).toEqual([1, 2, 3])
  })

  test('when the first statement fails, those asked for at the same time fail with it and nothing is there', async () => {
    const one = open({ maxConnections: 1 })
    await one.transaction(() => write(1, one))
    const all = one.transaction(() => Promise.allSettled([write(1, one), write(2, one), write(3, one)]))
    expect(await failure(all)).toMatchObject({ code: 'database.already_exists' })
    await one.transaction(() => write(4, one))
    expect(await notes()).toEqual([1, 4])
  })

  test('when nothing is asked inside of it, the server hears nothing of it', async () => {
    const one = open({ applicationName: 'silent' })
    expect(await one.transaction(async () => 'nothing')).toBe('nothing')
    const asked = await admin.query(sql`select query from pg_stat_activity where application_name = 'silent'`)
    expect(asked).toEqual([{ query: '' }])
  })

  test('when statements are not prepared, it comes before them', async () => {
    const one = open({ namedStatements: false, maxConnections: 1 })
    await one.transaction(() => write(1, one))
    await failure(one.transaction(() => Promise.all([write(2, one), write(1, one)])))
    expect(await notes()).toEqual([1])
  })

  test('when the first thing is a part of it, that can be undone by itself', async () => {
    const one = open({ maxConnections: 1 })
    for (const id of [1, 3]) {
      await one.transaction(async () => {
        await failure(one.transaction(() => Promise.all([write(id, one), write(id, one)])))
        await write(id + 1, one)
      })
    }
    expect(await notes()).toEqual([2, 4])
  })
})

describe('given a transaction that is over', () => {
  test('when somebody still has it, every use throws and nothing is written', async () => {
    let kept: Pick<Database, 'execute'> | undefined
    await database.transaction(async (tx) => {
      kept = tx
      await write(1)
    })
    expect(String(await failure(write(2, kept)))).toContain('used after its end')
    expect(await notes()).toEqual([1])
  })

  test('when something it started goes on, that does not write by itself', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let late: Promise<unknown> | undefined
    await database.transaction(async () => {
      await write(1)
      late = promise.then(() => write(2))
      late.catch(() => {})
    })
    resolve()
    expect(String(await failure(late as Promise<unknown>))).toContain('used after its end')
    expect(await notes()).toEqual([1])
  })

  test('when a part of it was not waited for, nothing is committed', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let part: Promise<unknown> | undefined
    const thrown = failure(
      database.transaction(async () => {
        await write(1)
        part = database.transaction(async () => {
          await write(2)
          await promise
          await write(3)
        })
        part.catch(() => {})
      }),
    )
    expect(String(await thrown)).toContain('was not waited for')
    resolve()
    await failure(part as Promise<unknown>)
    expect(await notes()).toEqual([])
  })

  test('when a part that nobody waited for outlives the part around it, it neither writes nor undoes what comes after', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let left: Promise<unknown> | undefined
    const leave = async (): Promise<void> => {
      left = failure(database.transaction(() => promise.then(() => write(1))))
    }
    await database.transaction(async () => {
      expect(String(await failure(database.transaction(leave)))).toContain('was not waited for')
      await database.transaction(() =>
        database.transaction(async () => {
          await write(2)
          resolve()
          expect(String(await left)).toContain('used after its end')
        }),
      )
    })
    expect(await notes()).toEqual([2])
  })

  test.each(['no', 'one'])(
    'when nobody waits for its statements, and %s BEGIN was sent before, they end with it',
    async (before) => {
      const one = open({ maxConnections: 1 })
      if (before === 'one') await one.transaction(() => pid(one))
      const left: Promise<unknown>[] = []
      const leave = (id: number): void => void left.push(write(id, one).catch(String))
      const undone = one.transaction(async () => {
        leave(1)
        leave(2)
        throw new Error('undo')
      })
      await failure(undone)
      await one.transaction(async () => {
        leave(3)
        leave(4)
      })
      await Promise.all(left)
      expect(await notes()).toEqual([3, 4])
    },
  )
})

describe('given a transaction inside of another one', () => {
  test('when it fails and that is handled, the rest stays', async () => {
    await database.transaction(async () => {
      await write(1)
      await failure(
        database.transaction(async () => {
          await write(2)
          await write(1)
        }),
      )
      await write(3)
    })
    expect(await notes()).toEqual([1, 3])
  })

  test('when it is done and the outer one fails, nothing stays', async () => {
    await failure(
      database.transaction(async () => {
        await database.transaction(() => write(1))
        throw new Error('undo')
      }),
    )
    expect(await notes()).toEqual([])
  })

  test('when several run at once, a failure undoes its own writes alone', async () => {
    await database.transaction(async () => {
      const part = (id: number) =>
        database.transaction(async () => {
          await write(id)
          await write(id + 100)
          if (id % 2 === 0) throw new Error('even')
        })
      const ended = await Promise.allSettled([1, 2, 3, 4].map(part))
      expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
      await Promise.allSettled([write(5), part(6), write(7)])
    })
    expect(await notes()).toEqual([1, 3, 5, 7, 101, 103])
  })

  test('when they are nested deep, each level can be undone by itself', async () => {
    const nest = async (depth: number): Promise<void> => {
      await write(depth)
      if (depth === 5) throw new Error('deep enough')
      await database
        .transaction(() => nest(depth + 1))
        .catch((error: unknown) => {
          if (depth !== 3) throw error
        })
    }
    await database.transaction(() => nest(1))
    expect(await notes()).toEqual([1, 2, 3])
  })

  test('when it asks for stronger isolation than the outer one has, it is told to ask there', async () => {
    const inner = () => database.transaction(() => write(1), { isolation: 'serializable' })
    expect(String(await failure(database.transaction(inner)))).toContain('where the outermost begins')
    await database.transaction(inner, { isolation: 'serializable' })
    expect(await notes()).toEqual([1])
  })
})

describe('given something to do after the commit', () => {
  test('when the transaction is committed, it is done then, in order, outside of it', async () => {
    const seen: unknown[] = []
    await database.transaction(async () => {
      database.afterCommit(async () => void seen.push(await notes()))
      await database.transaction(async () => database.afterCommit(() => void seen.push('second')))
      await write(1)
      database.afterCommit(() => write(2).then(() => {}))
      expect(seen).toEqual([])
    })
    expect(seen).toEqual([[1], 'second'])
    expect(await notes()).toEqual([1, 2])
  })

  test('when the transaction, or the part it belongs to, is undone, it is not done', async () => {
    const seen: string[] = []
    await failure(
      database.transaction(async () => {
        database.afterCommit(() => void seen.push('outer'))
        throw new Error('undo')
      }),
    )
    await database.transaction(async () => {
      await failure(
        database.transaction(async () => {
          database.afterCommit(() => void seen.push('part'))
          throw new Error('undo')
        }),
      )
    })
    expect(seen).toEqual([])
  })

  test('when it fails, that is logged, the next is done, and what is committed stays', async () => {
    const log = createRecordingLogger()
    const one = open({ logger: log })
    const seen: string[] = []
    await one.transaction(async () => {
      await write(1, one)
      one.afterCommit(() => Promise.reject(new Error('bus is down')))
      one.afterCommit(() => void seen.push('next'))
    })
    expect(seen).toEqual(['next'])
    expect(await notes()).toEqual([1])
    expect(log.lines).toMatchObject([{ level: 'error' }])
  })

  test('when there is no transaction, it is done at once', () => {
    const seen: string[] = []
    database.afterCommit(() => void seen.push('now'))
    expect(seen).toEqual(['now'])
  })
})

describe('given transactions in each other’s way', () => {
  test('when the database gives up on one for the sake of another, it is run again and both are right', async () => {
    let attempts = 0
    const sum = async (id: number): Promise<void> =>
      database.transaction(
        async () => {
          attempts += 1
          const total = await database.one(
            sql`select sum(coins)::int as total from purses`,
            (row: { total: number }) => row.total,
          )
          await database.execute(sql`update purses set coins = ${total} where id = ${id}`)
        },
        { isolation: 'serializable', retries: 10 },
      )
    await Promise.all([1, 2, 3, 4].map(sum))
    expect(attempts).toBeGreaterThan(4)
    const coins = await admin.many(
      sql`select coins from purses where id < 5`,
      (row: { readonly coins: number }) => row.coins,
    )
    // Each saw a different total: no order of the four gives equal ones.
    expect(new Set(coins).size).toBe(4)
  })

  test('when two wait for each other, both get through', async () => {
    const move = async (from: number, to: number): Promise<void> =>
      database.transaction(async () => {
        await database.execute(sql`update purses set coins = coins - 1 where id = ${from}`)
        await database.execute(sql`select pg_sleep(0.05)`)
        await database.execute(sql`update purses set coins = coins + 1 where id = ${to}`)
      })
    await Promise.all([move(1, 2), move(2, 1), move(1, 2), move(2, 1)])
    expect(await admin.query(sql`select coins from purses where id < 3`)).toEqual([{ coins: 100 }, { coins: 100 }])
  })

  test('when no attempt gets through, it is unavailable for now, and what was to happen after the commit is not done', async () => {
    let attempts = 0
    const seen: string[] = []
    const thrown = await failure(
      database.transaction(
        async () => {
          attempts += 1
          database.afterCommit(() => void seen.push('done'))
          await database.query(sql`do $$ begin raise exception 'in the way' using errcode = '40001'; end $$`)
        },
        { retries: 2 },
      ),
    )
    expect(attempts).toBe(3)
    expect(thrown).toMatchObject({ kind: 'unavailable', code: 'database.busy' })
    expect(seen).toEqual([])
  })

  test('when the work makes something else of the failure, it is run again all the same', async () => {
    let attempts = 0
    await database.transaction(async () => {
      attempts += 1
      if (attempts > 1) return await write(attempts)
      return await database
        .query(sql`do $$ begin raise exception 'in the way' using errcode = '40001'; end $$`)
        .catch(() => undefined)
    })
    expect(attempts).toBe(2)
    expect(await notes()).toEqual([2])
  })

  test('when a failure has nothing to do with others, it is not run again', async () => {
    let attempts = 0
    const twice = async (): Promise<void> => {
      attempts += 1
      await write(1)
      await write(1)
    }
    await failure(database.transaction(twice))
    expect(attempts).toBe(1)
  })
})

describe('given a connection that is lost', () => {
  test('when that is before the commit, the work runs again on another one', async () => {
    let attempts = 0
    await database.transaction(async () => {
      attempts += 1
      await write(attempts)
      if (attempts === 1) await kill(await pid())
      await write(attempts + 10)
    })
    expect(attempts).toBe(2)
    expect(await notes()).toEqual([2, 12])
  })

  test('when that is while committing, nobody is told that it failed, nor that it did not', async () => {
    await admin.execute(sql`drop table if exists slow`)
    await admin.execute(sql`create table slow (id int)`)
    await admin.execute(
      sql`create or replace function sleep_late() returns trigger language plpgsql as 'begin perform pg_sleep(20); return null; end'`,
    )
    await admin.execute(
      sql`create constraint trigger late after insert on slow deferrable initially deferred for each row execute function sleep_late()`,
    )
    let attempts = 0
    let victim = 0
    const committing = failure(
      database.transaction(async () => {
        attempts += 1
        victim = await pid()
        await database.execute(sql`insert into slow values (1)`)
      }),
    )
    await vi.waitFor(async () => {
      const sleeping = await admin.query(sql`select 1 from pg_stat_activity where pid = ${victim} and query = 'commit'`)
      expect(sleeping).toHaveLength(1)
    })
    await kill(victim)
    expect(await committing).toMatchObject({ kind: 'unavailable', code: 'database.outcome_unknown' })
    expect(attempts).toBe(1)
  })

  test('when it sat idle for too long, that is its own fault: a timeout, and no second attempt', async () => {
    const one = open({ idleInTransactionTimeoutMs: 50 })
    let attempts = 0
    const thrown = await failure(
      one.transaction(async () => {
        attempts += 1
        await write(1, one)
        const mine = await pid(one)
        await vi.waitFor(async () => {
          expect(await admin.query(sql`select 1 from pg_stat_activity where pid = ${mine}`)).toEqual([])
        })
        await new Promise((resolve) => setTimeout(resolve, 50))
        await write(2, one)
      }),
    )
    expect(thrown).toMatchObject({ kind: 'timeout', cause: { code: '25P03' } })
    expect(attempts).toBe(1)
    expect(await notes()).toEqual([])
  })
})

describe('given a transaction that takes too long', () => {
  test('when its time is up in a statement, the statement ends on the server and nothing is there', async () => {
    const thrown = failure(
      database.transaction(
        async () => {
          await write(1)
          await database.query(sql`select pg_sleep(20), 'over'`)
        },
        { timeoutMs: 150 },
      ),
    )
    expect(await thrown).toMatchObject({ kind: 'timeout', code: 'database.transaction_timeout' })
    expect(
      await admin.query(
        sql`select 1 from pg_stat_activity where query like '%over%' and state = 'active' and pid <> pg_backend_pid()`,
      ),
    ).toEqual([])
    expect(await notes()).toEqual([])
  })

  test('when its work waits for something else, it holds its connection no longer', async () => {
    const one = open({ maxConnections: 1 })
    const thrown = failure(
      one.transaction(
        async () => {
          await write(1, one)
          await new Promise(() => {})
        },
        { timeoutMs: 100 },
      ),
    )
    expect(await thrown).toMatchObject({ code: 'database.transaction_timeout' })
    expect(await pid(one)).toBeGreaterThan(0)
    expect(await notes()).toEqual([])
  })

  test('when nobody waits for it any more, it is undone', async () => {
    const gone = new AbortController()
    const reason = new Error('The client has gone')
    const work = withRequest(
      requestOf(gone.signal),
      () =>
        failure(
          database.transaction(async () => {
            await write(1)
            setTimeout(() => gone.abort(reason), 50)
            await database.query(sql`select pg_sleep(20)`)
          }),
        ),
      undefined,
    )
    expect(await work).toBe(reason)
    expect(await notes()).toEqual([])
  })

  test('when nobody waits for it at the end, it is not committed', async () => {
    const gone = new AbortController()
    const work = withRequest(
      requestOf(gone.signal),
      () =>
        failure(
          database.transaction(async () => {
            await write(1)
            gone.abort(new Error('The client has gone'))
          }),
        ),
      undefined,
    )
    expect(String(await work)).toContain('The client has gone')
    expect(await notes()).toEqual([])
  })
})

describe('given a call to somebody else inside of a transaction', () => {
  const call = async (): Promise<void> => {
    await fetch('http://127.0.0.1:64999/').catch(() => {})
  }
  const callByHttp = (): Promise<void> =>
    new Promise((resolve) => {
      const sent = request('http://127.0.0.1:64999/')
      sent.on('error', () => resolve())
      sent.end()
    })

  test.each([
    ['fetch', call],
    ['node:http', callByHttp],
  ])('when it is made by %s, it is logged once, and all is committed', async (_, callOut) => {
    const log = createRecordingLogger()
    const one = open({ logger: log })
    await one.transaction(async () => {
      await write(1, one)
      await callOut()
      await one.transaction(callOut)
    })
    expect(await notes()).toEqual([1])
    expect(log.lines).toHaveLength(1)
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { target: expect.stringContaining('127.0.0.1') } }])
  })

  test('when that is refused, the transaction is undone and says where to call from', async () => {
    const one = open({ outboundCalls: 'refuse' })
    let attempts = 0
    const thrown = failure(
      one.transaction(async () => {
        attempts += 1
        await write(1, one)
        await call()
      }),
    )
    expect(String(await thrown)).toContain('afterCommit')
    expect(attempts).toBe(1)
    expect(await notes()).toEqual([])
  })

  test('when it is made after the commit, or outside, nobody complains', async () => {
    const log = createRecordingLogger()
    const one = open({ logger: log, outboundCalls: 'refuse' })
    await one.transaction(async () => {
      await write(1, one)
      one.afterCommit(call)
      await one.outsideTransaction(call)
    })
    await call()
    expect(await notes()).toEqual([1])
    expect(log.lines).toEqual([])
  })
})
