import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { actAs } from '../../core/context/acting.ts'
import type { Caller } from '../../core/context/request-context.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { createDatabase } from './database.ts'
import type { Database } from './database.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { createTestDatabase } from './embedded/test-database.ts'
import { assertRowSecurity } from './row-security.ts'
import { sql } from './sql.ts'

let server: EmbeddedPostgres
let url: string
let owner: Database
let database: Database

const caller = (id: string, roles: readonly string[] = []): Caller => ({ id, roles, permissions: [] })
const ann = caller('ann')
const bob = caller('bob')
const boss = caller('boss', ['clerk', 'admin'])

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  url = (await createTestDatabase({ adminUrl: server.url })).url
  owner = createDatabase({ url })
  await owner.execute(sql`create role clerk_service nologin`)
  await owner.execute(sql`create table letters (id int primary key, owner text not null, text text not null)`)
  await owner.execute(sql`alter table letters enable row level security`)
  await owner.execute(sql`
    create policy own on letters using (owner = (select current_setting('app.principal_id', true)))`)
  await owner.execute(sql`
    create policy staff on letters
    using ('admin' = any (string_to_array((select current_setting('app.roles', true)), ',')))`)
  await owner.execute(sql`grant select, insert, update, delete on letters to clerk_service`)
  // One connection, so that whatever one caller left behind the next one would find.
  database = createDatabase({ url, role: 'clerk_service', maxConnections: 1 })
}, 60_000)

beforeEach(async () => {
  await owner.execute(sql`truncate letters`)
  await owner.execute(sql`insert into letters values (1, 'ann', 'a'), (2, 'bob', 'b')`)
})

afterAll(async () => {
  await Promise.all([database?.close(), owner?.close()])
  await server?.stop()
})

// What a repository asks that forgot its `where`.
const everything = () =>
  database.rowSecured.many(sql`select id from letters order by id`, (row: { readonly id: number }) => row.id)

describe('given rows that belong to somebody', () => {
  test('when everything is asked for, each caller sees their own, and staff all', async () => {
    expect(await actAs(ann, everything)).toEqual([1])
    expect(await actAs(bob, everything)).toEqual([2])
    expect(await actAs(boss, everything)).toEqual([1, 2])
    expect(await actAs(caller('carl'), everything)).toEqual([])
  })

  test('when nobody asks, nobody sees anything, also right after somebody did on the same connection', async () => {
    await actAs(boss, everything)
    expect(await everything()).toEqual([])
    expect(await actAs(undefined, everything)).toEqual([])
    expect(await database.query(sql`select id from letters`)).toEqual([])
  })

  test('when nobody is named at all, the log says so once', async () => {
    const log = createRecordingLogger()
    const one = createDatabase({ url, role: 'clerk_service', logger: log })
    const ask = () => one.rowSecured.query(sql`select id from letters`)
    expect([await ask(), await actAs(undefined, ask), await ask()]).toEqual([[], [], []])
    expect(log.lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('actAs') }])
    await one.close()
  })

  test('when somebody writes to all rows, only their own change', async () => {
    expect(await actAs(ann, () => database.rowSecured.execute(sql`update letters set text = 'mine'`))).toBe(1)
    expect(await actAs(ann, () => database.rowSecured.execute(sql`delete from letters`))).toBe(1)
    expect(await owner.query(sql`select id, text from letters`)).toEqual([{ id: 2, text: 'b' }])
  })

  test('when somebody writes a row in the name of another, it is refused and nothing is written', async () => {
    const forged = actAs(ann, () => database.rowSecured.execute(sql`insert into letters values (3, 'bob', 'forged')`))
    await expect(forged).rejects.toMatchObject({ code: '42501' })
    expect(await owner.query(sql`select id from letters where id = 3`)).toEqual([])
  })

  test('when many ask at once over one connection, nobody sees what is another’s', async () => {
    const asked = Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? ann : bob))
    const seen = await Promise.all(asked.map((who) => actAs(who, everything)))
    expect(seen).toEqual(asked.map((who) => (who === ann ? [1] : [2])))
  })
})

test('given a statement that is prepared, when a migration changes its table, each caller goes on to see their own', async () => {
  const all = () => database.rowSecured.query(sql`select * from letters`)
  const seen = [await actAs(ann, all)]
  await owner.execute(sql`alter table letters add column seen boolean`)
  seen.push(await actAs(ann, all), await actAs(bob, all))
  await owner.execute(sql`alter table letters drop column seen`)
  expect(seen).toMatchObject([[{ id: 1 }], [{ id: 1, seen: null }], [{ id: 2, seen: null }]])
})

describe('given a transaction', () => {
  test('when it is asked inside, the caller is known there and no longer', async () => {
    const seen = await actAs(ann, () =>
      database.transaction(async (tx) => {
        const before = await tx.query(sql`select id from letters`)
        return { before, inside: await everything(), byName: await tx.rowSecured.query(sql`select id from letters`) }
      }),
    )
    expect(seen).toEqual({ before: [], inside: [1], byName: [{ id: 1 }] })
    expect(await everything()).toEqual([])
  })

  test('when a part of it is undone that was the first to ask, the caller is known afterwards', async () => {
    const seen = await actAs(ann, () =>
      database.transaction(async () => {
        await database
          .transaction(async () => {
            await everything()
            throw new Error('undo')
          })
          .catch(() => {})
        return everything()
      }),
    )
    expect(seen).toEqual([1])
  })

  test('when somebody else is acted for in between, it is they who are known', async () => {
    const seen = await actAs(ann, () =>
      database.transaction(async () => [await everything(), await actAs(bob, everything), await everything()]),
    )
    expect(seen).toEqual([[1], [2], [1]])
  })
})

describe('given names that would read as others', () => {
  test('when a role has a comma, it is refused, because policies would read two', async () => {
    const asked = actAs(caller('carl', ['x,admin']), everything)
    await expect(asked).rejects.toThrow('has no comma')
    await expect(database.transaction(() => actAs(caller('carl', ['x,admin']), everything))).rejects.toThrow('no comma')
    expect(database.stats()).toMatchObject({ total: 1, idle: 1 })
  })

  test('when an id holds quotes or more settings, it is an id all the same', async () => {
    const id = `ann', true), set_config('app.roles', 'admin`
    expect(await actAs(caller(id), everything)).toEqual([])
  })
})

describe('given a service that starts', () => {
  test('when its role may be refused rows, it starts', async () => {
    await expect(assertRowSecurity(database, ['letters'])).resolves.toBeUndefined()
  })

  test('when it is a superuser, it does not', async () => {
    await expect(assertRowSecurity(owner, ['letters'])).rejects.toThrow('does not hold for the role postgres')
  })

  test('when a table is not there, not guarded, or its own, it is told all of them', async () => {
    await owner.execute(sql`create table if not exists open_letters (id int)`)
    await owner.execute(sql`create table if not exists own_letters (id int)`)
    await owner.execute(sql`alter table own_letters enable row level security`)
    await owner.execute(sql`alter table own_letters owner to clerk_service`)
    const asked = assertRowSecurity(database, ['letters', 'open_letters', 'own_letters', 'no_letters'])
    await expect(asked).rejects.toThrow(
      'open_letters lacks it (alter table open_letters enable row level security); ' +
        'clerk_service owns own_letters (alter table own_letters force row level security); there is no table no_letters',
    )
    await owner.execute(sql`alter table own_letters force row level security`)
    await expect(assertRowSecurity(database, ['own_letters'])).resolves.toBeUndefined()
  })

  test('when the role is not there, it says so, and not that there is no database', async () => {
    const one = createDatabase({ url, role: 'nobody_made_it' })
    await expect(one.query(sql`select 1`)).rejects.toThrow('does not let us act as the role nobody_made_it')
    await one.close()
  })

  test.each(['Admin', 'x; drop table letters', '', 'a b', '-c', 'x'.repeat(64)])(
    'when its role is %j, it is refused',
    (role) => {
      expect(() => createDatabase({ url, role })).toThrow(TypeError)
    },
  )

  test('when its url would have another role go first, it is refused', () => {
    expect(() =>
      createDatabase({ url: `${url.split('?')[0]}?options=-c%20role%3Dpostgres`, role: 'clerk_service' }),
    ).toThrow('url sets options')
  })
})
