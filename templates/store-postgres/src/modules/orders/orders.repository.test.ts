import { actAs, type Caller } from 'holdfast/http'
import { createDatabase, type Database, sql, type SqlQuery } from 'holdfast/postgres'
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import pg from 'pg'
import { createDatabaseForTest } from '../../../test/database.ts'
import { untilBlocked } from '../../../test/until-blocked.ts'
import { createCatalog } from '../catalog/catalog.module.ts'
import { createOrders } from './orders.module.ts'
import { createOrdersRepository } from './orders.repository.ts'
import type { Order } from './orders.schema.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
/** Whom row-level security does not hold for. */
let owner: pg.Client
let product: string
before(async () => {
  stored = await createDatabaseForTest()
  database = createDatabase({ url: stored.url, role: 'app_service' })
  owner = new pg.Client(stored.url)
  await owner.connect()
  product = await idOf(`insert into products (sku, name, price_cents) values ('ROPE', 'rope', 1) returning id`)
})
after(async () => {
  await database.close()
  await owner.end()
  await stored.drop()
})

let made = 0
let buyer: Caller
let stranger: Caller
let own: Order
let foreign: Order
beforeEach(async () => {
  buyer = await createCaller()
  stranger = await createCaller()
  own = await place(buyer)
  foreign = await place(stranger)
})

async function idOf(statement: string): Promise<string> {
  const { rows } = await owner.query<{ readonly id: string }>(statement)
  return rows[0]?.id ?? assert.fail('There is no id')
}

async function createCaller(): Promise<Caller> {
  made += 1
  const statement = `insert into accounts (email, password_hash) values ('a${made}@example.com', '$argon2id$') returning id`
  return { id: await idOf(statement), roles: [], permissions: [] }
}

const line = () => ({ productId: product, sku: 'ROPE', name: 'rope', priceCents: 1, quantity: 1 })
const place = (caller: Caller, accountId = caller.id): Promise<Order> =>
  actAs(caller, () => createOrdersRepository(database).insert({ accountId, lines: [line()], totalCents: 1 }))

/** What a repository may ask that forgot whose orders it is about. */
const ask = (caller: Caller | undefined, query: SqlQuery) => actAs(caller, () => database.rowSecured.query(query))
const change = (caller: Caller | undefined, query: SqlQuery) => actAs(caller, () => database.rowSecured.execute(query))

const idsOf = (rows: readonly object[]): unknown[] => rows.map((row) => Object.values(row)[0])
const statusOf = async ({ id }: Order): Promise<unknown> =>
  (await owner.query('select status from orders where id = $1', [id])).rows[0].status

describe('given a repository that forgot to ask whose orders they are', () => {
  test('when it reads all of them, it gets those of whoever asks', async () => {
    assert.deepEqual(idsOf(await ask(buyer, sql`select id from orders`)), [own.id])
    assert.deepEqual(idsOf(await ask(buyer, sql`select order_id from order_lines`)), [own.id])
    assert.deepEqual(await ask(buyer, sql`select id from orders where id = ${foreign.id} for update`), [])
    const whose = sql`select account_id from order_lines where order_id = ${foreign.id}`
    assert.deepEqual(await ask(buyer, whose), [])
  })

  test('when it changes all of them, it changes those of whoever asks', async () => {
    assert.equal(await change(buyer, sql`update orders set status = 'cancelled'`), 1)
    assert.deepEqual([await statusOf(own), await statusOf(foreign)], ['cancelled', 'placed'])
  })

  test('when it joins the transaction of somebody who does not say who asks, it is no different', async () => {
    await actAs(buyer, () =>
      database.transaction(async () => {
        await database.query(sql`select id from products`)
        assert.deepEqual(idsOf(await database.rowSecured.query(sql`select id from orders`)), [own.id])
        const orders = createOrdersRepository(database)
        assert.equal(await orders.find(foreign.id), undefined)
        assert.equal(await orders.cancel(foreign.id, stranger.id), undefined)
      }),
    )
    assert.equal(await statusOf(foreign), 'placed')
  })

  test('when nobody asks, there is nothing', async () => {
    for (const nobody of [undefined, { id: '', roles: [], permissions: [] }]) {
      assert.deepEqual(await ask(nobody, sql`select id from orders union all select order_id from order_lines`), [])
      assert.equal(await change(nobody, sql`update orders set status = 'cancelled'`), 0)
    }
    const unsaid = actAs(buyer, () => database.query(sql`select id from orders`))
    assert.deepEqual(await unsaid, [])
  })

  test('when one asked before on the same connection, the next one sees nothing of it', async () => {
    const alone = createDatabase({ url: stored.url, role: 'app_service', maxConnections: 1 })
    const see = (caller: Caller) => actAs(caller, () => alone.rowSecured.query(sql`select id from orders`))
    assert.deepEqual(idsOf(await see(buyer)), [own.id])
    assert.deepEqual(await alone.query(sql`select id from orders`), [])
    assert.deepEqual(idsOf(await see(stranger)), [foreign.id])
    await alone.close()
  })
})

describe('given rows that are not for whoever writes them', () => {
  const isRefused = (work: Promise<unknown>, code = '42501') =>
    assert.rejects(work, (thrown: NodeJS.ErrnoException) => thrown.code === code)
  const insertLine = (order: Order, accountId: string) => sql`
    insert into order_lines (order_id, account_id, product_id, position, sku, name, price_cents, quantity)
    values (${order.id}, ${accountId}, gen_random_uuid(), 2, 'ROPE', 'rope', 1, 1)`

  test('when somebody orders for somebody else, or for nobody, it is refused', async () => {
    await isRefused(place(buyer, stranger.id))
    await isRefused(change(undefined, sql`insert into orders (account_id, total_cents) values (${buyer.id}, 1)`))
  })

  test('when an order begins as shipped, it is refused', async () => {
    const insert = sql`insert into orders (account_id, total_cents, status) values (${buyer.id}, 1, 'shipped')`
    await isRefused(change(buyer, insert))
  })

  test('when somebody adds a line to the order of somebody else, in either name, it is refused', async () => {
    await isRefused(change(buyer, insertLine(foreign, stranger.id)))
    await assert.rejects(change(buyer, insertLine(foreign, buyer.id)), { code: 'database.reference_conflict' })
  })

  test('when somebody gives an order away, changes what it costs, or deletes it, it is refused', async () => {
    for (const statement of [
      sql`update orders set account_id = ${stranger.id}`,
      sql`update orders set total_cents = 0`,
      sql`update orders set status = 'cancelled', total_cents = 0`,
      sql`update order_lines set quantity = 100`,
      sql`delete from orders`,
      sql`delete from order_lines`,
      sql`truncate orders cascade`,
      sql`alter table orders no force row level security`,
    ]) {
      await isRefused(change(buyer, statement))
    }
  })

  test('when a buyer ships, it is refused, and what is cancelled or shipped changes no more', async () => {
    await isRefused(change(buyer, sql`update orders set status = 'shipped'`))
    for (const status of ['cancelled', 'shipped']) {
      await owner.query('update orders set status = $1 where id = $2', [status, own.id])
      assert.equal(await change(buyer, sql`update orders set status = 'cancelled'`), 0)
    }
  })
})

describe('given those who work for the shop', () => {
  const may = (...permissions: string[]): Caller => ({ ...stranger, permissions })

  test('when they may read orders, they see all of them and change none but theirs', async () => {
    const all = await ask(may('catalog:write', 'orders:read'), sql`select id from orders`)
    assert.ok([own.id, foreign.id].every((id) => idsOf(all).includes(id)))
    await change(may('orders:read'), sql`update orders set status = 'cancelled'`)
    assert.equal(await statusOf(own), 'placed')
  })

  test('when a machine that is no account asks, it sees what it may and owns nothing', async () => {
    const machine = { id: 'billing', roles: [], permissions: ['orders:read'] }
    assert.ok((await ask(machine, sql`select id from orders`)).length >= 2)
    assert.deepEqual(await ask({ ...machine, permissions: [] }, sql`select id from orders`), [])
    assert.equal(await change(machine, sql`update orders set status = 'cancelled'`), 0)
  })

  test('when they may ship, they ship, and neither cancel nor revive', async () => {
    const shipping = may('orders:ship')
    await assert.rejects(change(shipping, sql`update orders set status = 'cancelled' where id = ${own.id}`))
    const shipped = await actAs(shipping, () => createOrdersRepository(database).ship(own.id))
    assert.equal(shipped?.status, 'shipped')
    assert.deepEqual(shipped.lines, [line()])
    assert.equal(await change(shipping, sql`update orders set status = 'shipped' where id = ${own.id}`), 0)
  })

  test('when a permission or role only looks like one of theirs, it gives nothing', async () => {
    const lookalikes = [
      'orders:reader',
      'xorders:read',
      'orders',
      'orders:',
      'ORDERS:READ',
      'orders:%',
      '{orders:read}',
    ]
    for (const caller of [may(...lookalikes), { ...stranger, roles: ['admin', 'orders:read'] }]) {
      assert.deepEqual(idsOf(await ask(caller, sql`select id from orders`)), [foreign.id])
    }
  })
})

const createService = () => createOrders({ database, catalog: createCatalog({ database }).service }).service

describe('given 10 pieces', () => {
  test('when 64 at once want one, 10 get it, the others hear that it is out of stock, and nobody is to come back', async () => {
    const id = await idOf(
      `insert into products (sku, name, price_cents, stock) values ('TEN', 'ten', 1, 10) returning id`,
    )
    const service = createService()
    const wanted = [{ productId: id, quantity: 1 }]
    const all = Array.from({ length: 64 }, () => actAs(buyer, () => service.place(buyer, wanted)))
    const outcomes = await Promise.allSettled(all)
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    assert.deepEqual([...new Set(refused.map(({ reason }) => reason.code))], ['orders.out_of_stock'])
    assert.equal(refused.length, 54)
    assert.deepEqual((await owner.query('select stock from products where id = $1', [id])).rows, [{ stock: 0 }])
    assert.equal(database.stats().waiting, 0)
    assert.equal(database.stats().idle, database.stats().total)
  })
})

describe('given a transaction that the database gives up, for the sake of another one', () => {
  test('when it orders, it is run again, and ordered once', async () => {
    const insert = `insert into products (sku, name, price_cents, stock) values ('X', 'x', 7, 5), ('Y', 'y', 7, 5) returning id`
    const { rows } = await owner.query<{ readonly id: string }>(insert)
    const [low = '', high = ''] = rows.map(({ id }) => id).toSorted()
    const service = createService()
    const wanted = [low, high].map((productId) => ({ productId, quantity: 2 }))

    await owner.query('begin')
    await owner.query('update products set stock = stock - 1 where id = $1', [high])
    const placed = actAs(buyer, () => service.place(buyer, wanted))
    await untilBlocked(owner)
    // Each has what the other wants; the one that waits for longer finds out and gives up.
    await owner.query('update products set stock = stock - 1 where id = $1', [low])
    await owner.query('commit')

    assert.equal((await placed).totalCents, 28)
    const stocks = await owner.query('select stock from products where id = any ($1)', [[low, high]])
    assert.deepEqual(stocks.rows, [{ stock: 2 }, { stock: 2 }])
    const events = await owner.query(`select from outbox where payload ->> 'accountId' = $1`, [buyer.id])
    assert.equal(events.rowCount, 1)
    assert.equal((await ask(buyer, sql`select id from orders`)).length, 2)
  })
})
