import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { assertMigrated } from './assert-migrated.ts'
import { createDatabase } from './database.ts'
import { startEmbeddedPostgres } from './embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded/embedded-postgres.ts'
import { createTestDatabase } from './embedded/test-database.ts'
import type { TestDatabase } from './embedded/test-database.ts'
import { MigrationError } from './migration-error.ts'
import { migrate } from './migrations.ts'

let server: EmbeddedPostgres
let database: TestDatabase
let directory: string

beforeAll(async () => {
  server = await startEmbeddedPostgres()
}, 60_000)

afterAll(async () => {
  await server?.stop()
})

beforeEach(async () => {
  database = await createTestDatabase({ adminUrl: server.url })
  directory = mkdtempSync(join(tmpdir(), 'migrations-test-'))
})

afterEach(async () => {
  rmSync(directory, { recursive: true })
  await database.drop()
})

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
}

const run = (more: object = {}): Promise<string[]> => migrate({ url: database.url, directory, ...more })

async function failure(work: Promise<unknown>): Promise<MigrationError> {
  const thrown = await work.catch((error: unknown) => error)
  expect(thrown).toBeInstanceOf(MigrationError)
  return thrown as MigrationError
}

async function tables(): Promise<string[]> {
  const client = new pg.Client(database.url)
  await client.connect()
  const { rows } = await client.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' and tablename <> 'pgmigrations' order by 1`,
  )
  await client.end()
  return rows.map(({ name }) => name)
}

const plain = {
  '0001_create_shops.sql': 'create table shops (id int);\n-- a comment at the end',
  '0002_create_products.sql': `create table products (id int, note text default '{a} $1; \${b}');\ninsert into products values (1)`,
  'README.md': 'not a migration',
  '.hidden.sql': 'broken',
}

describe('given plain SQL files without markers', () => {
  test('when they are applied, their names come back in order, and none the next time', async () => {
    write(plain)

    expect(await run()).toEqual(['0001_create_shops', '0002_create_products'])
    expect(await tables()).toEqual(['products', 'shops'])
    expect(await run()).toEqual([])
  })

  test('when one is added later, only that one is applied', async () => {
    write(plain)
    await run()
    write({ '0010_create_orders.sql': 'create table orders (id int)' })

    expect(await run()).toEqual(['0010_create_orders'])
  })

  test('when one has the marker of the tool, it is applied as well', async () => {
    write({ '0001_create_shops.sql': '-- Up Migration\ncreate table shops (id int);' })

    expect(await run()).toEqual(['0001_create_shops'])
  })

  test('when one cannot run in a transaction and says so, it runs outside of it', async () => {
    const index = '-- no transaction\ncreate index concurrently shops_id_idx on shops (id);\n'
    write({ ...plain, '0003_index_shops.sql': index })

    expect(await run()).toHaveLength(3)
  })
})

describe('given a file that fails', () => {
  test('when it is broken, the error names file and line, nothing of it stays, and what came before does', async () => {
    write({ ...plain, '0003_broken.sql': 'create table half (id int);\n\ncreate tabel oops (id int);\n' })
    const error = await failure(run())

    expect(error.message).toMatch(/^0003_broken\.sql failed: syntax error at or near "tabel" at line 3\. Nothing of it/)
    expect(error.file).toBe('0003_broken.sql')
    expect(await tables()).toEqual(['products', 'shops'])
    write({ '0003_broken.sql': 'create table half (id int);' })
    expect(await run()).toEqual(['0003_broken'])
  })

  test('when a table is locked by somebody else, it fails in time instead of stopping all traffic', async () => {
    write(plain)
    await run()
    const holder = new pg.Client(database.url)
    holder.on('error', () => {})
    await holder.connect()
    await holder.query('begin; lock table shops')
    write({ '0003_alter_shops.sql': 'alter table shops add column name text' })
    const error = await failure(run({ lockTimeoutMs: 100 }))
    await holder.end()

    expect(error.message).toMatch(/0003_alter_shops\.sql failed: canceling statement due to lock timeout/)
  })

  test('when its connection is lost in the middle, the process lives and hears of it', async () => {
    write({ '0001_suicide.sql': 'create table half (id int); select pg_terminate_backend(pg_backend_pid());' })
    const error = await failure(run())

    expect(error.file).toBe('0001_suicide.sql')
    expect(await tables()).toEqual([])
  })
})

describe('given a folder or database that is not as it should be', () => {
  test('when the folder is missing, the error names it', async () => {
    expect((await failure(run({ directory: '/no/such/folder' }))).message).toContain('/no/such/folder')
  })

  test.each([
    ['no files', {}, 'There are no migrations in'],
    ['only other files', { 'README.md': 'hello' }, 'There are no migrations in'],
    ['a file of code', { '0001_a.sql': 'select 1', '0002_b.ts': '' }, '0002_b.ts'],
    ['an empty file', { '0001_a.sql': ' \n' }, '0001_a.sql is empty'],
    ['a file without a number', { 'create.sql': 'select 1' }, 'create.sql needs a name such as'],
    ['a name that is an attack', { [`1'); drop table x; --.sql`]: 'select 1' }, 'needs a name such as'],
    ['a way back', { '0001_a.sql': 'select 1;\n-- Down Migration\ndrop table a' }, 'only go forward'],
  ])('when the folder holds %s, it says so before it asks the database', async (_, files, message) => {
    write(files)

    expect((await failure(run({ url: 'postgres://a:b@127.0.0.1:1/x' }))).message).toContain(message)
  })

  test('when a file comes before an applied one, the error says how to number it', async () => {
    write(plain)
    await run()
    write({ '0000_late.sql': 'select 1' })

    expect((await failure(run())).message).toContain('Give new files the highest number')
  })

  test('when the database cannot be reached, the error says so without its password', async () => {
    write(plain)
    const error = await failure(run({ url: 'postgres://somebody:hunter2@127.0.0.1:1/x' }))

    expect(error.message).toMatch(/^The database cannot be reached: .*ECONNREFUSED/)
    expect(error.message).not.toContain('hunter2')
  })

  test.each([0, -1, Number.NaN, Infinity])('when a limit is %s, it is refused with the value', async (value) => {
    await expect(run({ waitTimeoutMs: value })).rejects.toThrow(`waitTimeoutMs is ${value}; it must be`)
    await expect(run({ lockTimeoutMs: value })).rejects.toThrow(RangeError)
  })
})

describe('given several processes that migrate at the same time', () => {
  test('when they start together, each file is applied once and all succeed', { timeout: 60_000 }, async () => {
    write({ ...plain, '0003_slow.sql': 'select pg_sleep(0.3); create table slow (id int)' })
    const module = new URL('./migrations.ts', import.meta.url).href
    const code = `
      const { migrate } = await import(${JSON.stringify(module)})
      console.log(JSON.stringify(await migrate(${JSON.stringify({ url: database.url, directory })})))`
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => output(spawn(process.execPath, ['--input-type=module', '-e', code]))),
    )

    expect(runs.flatMap((text) => JSON.parse(text) as string[]).toSorted()).toEqual([
      '0001_create_shops',
      '0002_create_products',
      '0003_slow',
    ])
  })

  test('when one does not end, another waits only so long', async () => {
    write(plain)
    const holder = new pg.Client(database.url)
    holder.on('error', () => {})
    await holder.connect()
    await holder.query('select pg_advisory_lock(7241865325823964)')
    const error = await failure(run({ waitTimeoutMs: 150 }))
    await holder.end()

    expect(error.message).toContain('another process has been migrating for 150 ms')
    expect(await run()).toHaveLength(2)
  })
})

function output(child: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = ''
    let errors = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.once('close', (code) => (code === 0 ? resolve(out) : reject(new Error(errors))))
  })
}

describe('given a service that counts on its migrations', () => {
  const assertAll = async (): Promise<void> => {
    const one = createDatabase({ url: database.url })
    try {
      await assertMigrated(one, directory)
    } finally {
      await one.close()
    }
  }

  test('when the database has all of them, it goes on', async () => {
    write({ '0001_a.sql': 'create table a (id int);' })
    await run()
    await expect(assertAll()).resolves.toBeUndefined()
  })

  test('when nothing was ever applied, it stops and names them', async () => {
    write({ '0001_a.sql': 'create table a (id int);', '0002_b.sql': 'create table b (id int);' })
    await expect(assertAll()).rejects.toThrow('The database lacks 0001_a.sql, 0002_b.sql. Run "npm run migrate"')
  })

  test('when one is missing, it stops and names that one', async () => {
    write({ '0001_a.sql': 'create table a (id int);' })
    await run()
    write({ '0002_b.sql': 'create table b (id int);' })
    await expect(assertAll()).rejects.toThrow('The database lacks 0002_b.sql.')
  })

  test('when the database is further on, because a rollout migrates first, it goes on', async () => {
    write({ '0001_a.sql': 'create table a (id int);', '0002_b.sql': 'create table b (id int);' })
    await run()
    rmSync(join(directory, '0002_b.sql'))
    await expect(assertAll()).resolves.toBeUndefined()
  })
})
