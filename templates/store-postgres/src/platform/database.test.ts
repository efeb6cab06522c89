import { silentLogger } from 'holdfast/logging'
import { type Database, sql } from 'holdfast/postgres'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { createDatabaseForTest } from '../../test/database.ts'
import { readConfig } from '../config.ts'
import { assertMigrated, migrateDatabase, openDatabase } from './database.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
let owner: pg.Client
before(async () => {
  stored = await createDatabaseForTest()
  database = open(stored.url)
  owner = new pg.Client(stored.url)
  await owner.connect()
})
after(async () => {
  await database.close()
  await owner.end()
  await stored.drop()
})

const open = (url: string): Database =>
  openDatabase(url, readConfig({ NODE_ENV: 'test', DATABASE_URL: url }), silentLogger)
const isRefused = (statement: ReturnType<typeof sql>) =>
  assert.rejects(database.execute(statement), (thrown: NodeJS.ErrnoException) => thrown.code === '42501')

describe('given the role that the service works as', () => {
  test('when it is asked who it is, it is nobody special, whoever signed in', async () => {
    const [role] = await database.query(sql`
      select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolcanlogin
      from pg_roles where rolname = current_user`)
    assert.deepEqual(role, {
      rolname: 'app_service',
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
      rolcanlogin: false,
    })
    assert.deepEqual(await database.query(sql`select relname from pg_class where relowner = current_user::regrole`), [])
  })

  test('when it would change the schema, or which migrations there are, it is refused', async () => {
    await isRefused(sql`create table mine ()`)
    await isRefused(sql`drop table products`)
    await isRefused(sql`create policy all_of_it on orders using (true)`)
    await isRefused(sql`delete from pgmigrations`)
    await isRefused(sql`insert into pgmigrations (name, run_on) values ('9999_none', now())`)
  })

  test('when it would rewrite what was audited, it is refused', async () => {
    await isRefused(sql`update audit_events set type = 'nothing'`)
    await isRefused(sql`delete from audit_events`)
  })

  test('when a later migration adds a table, it may work with it', async () => {
    await owner.query('create table later (id bigserial primary key, name text)')
    await database.execute(sql`insert into later (name) values ('one')`)
    await database.execute(sql`update later set name = 'two'`)
    assert.equal((await database.query(sql`select id from later`)).length, 1)
    assert.equal(await database.execute(sql`delete from later`), 1)
  })
})

describe('given a table that lost its row-level security', () => {
  test('when the service starts, it does not', async () => {
    await owner.query('alter table order_lines disable row level security')
    await assert.rejects(assertMigrated(database), /order_lines/)
    await owner.query('alter table order_lines enable row level security')
    await assertMigrated(database)
  })
})

describe('given a login that owns the database and is no superuser', () => {
  test('when it migrates and serves, it needs the service role and nothing else', async () => {
    const name = `shop_${randomBytes(6).toString('hex')}`
    await owner.query(`create role ${name} login password '${name}'`)
    await owner.query(`create database ${name} owner ${name}`)
    const url = new URL(stored.url)
    Object.assign(url, { username: name, password: name, pathname: `/${name}` })
    try {
      await assert.rejects(
        migrateDatabase(url.href, silentLogger),
        new RegExp(`0007_secure_rows[^]*grant app_service to ${name}`),
      )
      await owner.query(`grant app_service to ${name}`)
      await migrateDatabase(url.href, silentLogger)
      const served = open(url.href)
      await assertMigrated(served)
      await served.execute(sql`insert into products (sku, name, price_cents) values ('ROPE', 'rope', 1)`)
      await served.close()
    } finally {
      await owner.query(`drop database ${name} with (force)`)
      await owner.query(`drop role ${name}`)
    }
  })
})
