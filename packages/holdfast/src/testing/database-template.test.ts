import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../adapters/postgres/embedded/test-database.ts'
import { startEmbeddedPostgres } from '../adapters/postgres/embedded/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../adapters/postgres/embedded/embedded-postgres.ts'
import { createDatabaseTemplate } from './database-template.ts'
import type { DatabaseTemplateOptions } from '../adapters/postgres/embedded/database-template.ts'

let server: EmbeddedPostgres
let admin: pg.Client
let directory: string
const children: ChildProcess[] = []
const clients: pg.Client[] = []

beforeAll(async () => {
  server = await startEmbeddedPostgres()
  admin = await connect(server.url)
  await admin.query('create table prepared (id serial)')
}, 60_000)

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'template-test-'))
  writeFileSync(join(directory, '0001_create_notes.sql'), 'create table notes (id int primary key)')
  await admin.query('truncate prepared')
})

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child)
  await Promise.all(clients.splice(1).map((client) => client.end()))
  for (const name of await databases('holdfast%')) {
    await admin.query(`drop database ${pg.escapeIdentifier(name)} with (force)`)
  }
  rmSync(directory, { recursive: true, force: true })
})

afterAll(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()))
  await server?.stop()
})

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  clients.push(client)
  return client
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows.map((row) => Object.values(row)[0])
  } finally {
    await client.end()
  }
}

async function databases(like: string): Promise<string[]> {
  const { rows } = await admin.query<{ datname: string }>('select datname from pg_database where datname like $1', [
    like,
  ])
  return rows.map(({ datname }) => datname)
}

const prepared = async (): Promise<number> => (await admin.query('select from prepared')).rows.length

function make(options: Partial<DatabaseTemplateOptions> = {}) {
  return createDatabaseTemplate({
    adminUrl: server.url,
    directory,
    async prepare(url) {
      await admin.query('insert into prepared default values')
      await query(url, 'create table notes as select 1 as id')
    },
    ...options,
  })
}

/** A test file in a process of its own. */
async function startFile(): Promise<{
  readonly child: ChildProcess
  readonly template: string
  readonly clone: string
}> {
  const file = fileURLToPath(new URL('./database-template.test.child.ts', import.meta.url))
  const child = spawn(process.execPath, [file, server.url, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  const [template = '', clone = ''] = line.toString().trim().split(' ')
  return { child, template, clone }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

const disconnected = async (name: string): Promise<void> => {
  for (;;) {
    const { rows } = await admin.query('select from pg_stat_activity where datname = $1', [name])
    if (rows.length === 0) return
  }
}

const failure = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('It was to fail')
}

describe('given a template', { timeout: 60_000 }, () => {
  test('when it is copied, each copy has what was prepared, and nothing of the others', async () => {
    const template = await make()
    const [one, other] = await Promise.all([template.clone(), template.clone()])
    await query(one.url, 'insert into notes values (2)')
    expect(await query(one.url, 'select id from notes')).toEqual([1, 2])
    expect(await query(other.url, 'select id from notes')).toEqual([1])
    expect(await prepared()).toBe(1)
  })

  test('when somebody wants to connect to it, he cannot, so that nobody is in the way of copies', async () => {
    const { name } = await make()
    const url = new URL(server.url)
    url.pathname = `/${name}`
    expect(String(await failure(query(url.href, 'select 1')))).toContain('not currently accepting connections')
  })

  test('when processes start at once, one prepares and all copy the same', async () => {
    const files = await Promise.all([startFile(), startFile(), startFile()])
    expect(new Set(files.map(({ template }) => template)).size).toBe(1)
    expect(new Set(files.map(({ clone }) => clone)).size).toBe(3)
    expect(await prepared()).toBe(1)
  })

  test('when the next run starts, it finds it there; when a file has changed, it prepares another one', async () => {
    const first = await make()
    expect((await make()).name).toBe(first.name)
    expect(await prepared()).toBe(1)
    mkdirSync(join(directory, 'seeds'))
    writeFileSync(join(directory, 'seeds', 'demo.sql'), 'select 1')
    const second = await make()
    expect(second.name).not.toBe(first.name)
    writeFileSync(join(directory, 'seeds', 'demo.sql'), 'select 2')
    expect((await make()).name).not.toBe(second.name)
    expect((await make({ key: 'with demo data' })).name).not.toBe((await make()).name)
    expect(await prepared()).toBe(4)
  })

  test('when it was dropped meanwhile, the next copy makes it anew', async () => {
    const template = await make()
    await (await make()).drop()
    expect(await databases('holdfast_template%')).toEqual([])
    expect(await query((await template.clone()).url, 'select id from notes')).toEqual([1])
    expect(await prepared()).toBe(2)
  })

  test('when copies are dropped, whoever is connected is cut off, and the template stays', async () => {
    const template = await make()
    const [one, other] = [await template.clone(), await template.clone()]
    const client = await connect(one.url)
    const cut = new Promise<void>((resolve) => client.once('end', () => resolve()))
    await other.drop()
    await template.dropClones()
    await cut
    expect(await databases('holdfast%')).toEqual([template.name])
    await Promise.all([one.drop(), one.drop(), template.dropClones()])
    await template.drop()
    expect(await databases('holdfast%')).toEqual([])
  })
})

describe('given something wrong', { timeout: 60_000 }, () => {
  test('when preparing fails, that comes out, nothing is left, and the next one prepares', async () => {
    const reason = new Error('no such table')
    expect(await failure(make({ prepare: () => Promise.reject(reason) }))).toBe(reason)
    expect(await databases('holdfast%')).toEqual([])
    await make()
    expect(await databases('holdfast%')).toHaveLength(1)
  })

  test('when preparing leaves a connection open, it says so and nothing is left', async () => {
    expect(String(await failure(make({ prepare: connect })))).toContain('left connections to its database open')
    expect(await databases('holdfast%')).toEqual([])
  })

  test('when a file changes while it is prepared, it says so, for a name promises what is inside', async () => {
    const prepare = async (): Promise<void> => writeFileSync(join(directory, '0002_more.sql'), 'select 1')
    expect(String(await failure(make({ prepare })))).toContain('Something changed')
    expect(await databases('holdfast%')).toEqual([])
  })

  test('when another process prepares for too long, the wait ends', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const slow = make({ prepare: () => (begun.resolve(), promise) })
    await begun.promise
    expect(await failure(make({ waitTimeoutMs: 100 }))).toMatchObject({ code: '55P03' })
    resolve()
    await slow
  })

  test.each([
    [{ directory: undefined }, TypeError],
    [{ directory: undefined, key: '' }, TypeError],
    [{ prepare: 'migrate' }, TypeError],
    [{ waitTimeoutMs: 0 }, RangeError],
    [{ directory: '/no/such/folder' }, Error],
    [{ adminUrl: 'https://user:hunter2@host' }, TypeError],
    [{ adminUrl: 'user:hunter2@host:x' }, TypeError],
  ])('when its options are %j, they are refused', async (options, kind) => {
    const thrown = await failure(make(options as never))
    expect(thrown).toBeInstanceOf(kind)
    expect(JSON.stringify(thrown, Object.getOwnPropertyNames(thrown))).not.toContain('hunter2')
    expect(await databases('holdfast%')).toEqual([])
  })
})

describe('given what other runs have left behind', { timeout: 60_000 }, () => {
  const elsewhere = (madeAt: number) => `holdfast_test_0123456789ab_1_${madeAt.toString(36)}_0123456789ab`
  const dayMs = 24 * 3_600_000
  const use = (name: string, at: number) =>
    admin.query(`comment on database ${name} is 'holdfast template, used ${new Date(at).toISOString()}'`)

  test('when a process was killed, the next start drops its copy, and none of a process that runs', async () => {
    const [dead, alive] = await Promise.all([startFile(), startFile()])
    await make()
    expect(await databases('holdfast_test%')).toHaveLength(2)
    await kill(dead.child)
    await disconnected(dead.clone)
    await make()
    expect(await databases('holdfast_test%')).toEqual([alive.clone])
  })

  test('when something is in use, or not ours, or may be wanted elsewhere, it stays', async () => {
    const { clone, child } = await startFile()
    await kill(child)
    const url = new URL(server.url)
    url.pathname = `/${clone}`
    await connect(url.href)
    const kept = [
      'holdfast_test_mine',
      'holdfast_template_mine',
      'holdfast_tests',
      'holdfast_test_0123456789abcdef',
      'holdfast_template_0123456789abcdef_0123456789abcdef',
      elsewhere(Date.now() - dayMs / 2),
    ]
    for (const name of kept) await admin.query(`create database ${name}`)
    await use('holdfast_template_mine', Date.now() - 9 * dayMs)
    const { name } = await make()
    expect((await databases('holdfast%')).toSorted()).toEqual([...kept, clone, name].toSorted())
  })

  test('when it is a day old, or a template that is out of date, it goes', async () => {
    const old = await make()
    await use(old.name, Date.now() - 3_600_000)
    const other = 'holdfast_template_0123456789abcdef_0123456789abcdef'
    await admin.query(`create database ${other}`)
    await use(other, Date.now() - 2 * dayMs)
    await admin.query(`create database ${elsewhere(Date.now() - 2 * dayMs)}`)
    writeFileSync(join(directory, '0002_more.sql'), 'select 1')
    const { name } = await make()
    expect(await databases('holdfast%')).toEqual([name])
  })

  test('when a database was made by hand for a test, it can be told from those of the dead as well', async () => {
    const own = await createTestDatabase({ adminUrl: server.url })
    await make()
    expect(await databases('holdfast_test%')).toEqual([own.name])
  })
})
