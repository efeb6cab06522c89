import { createDatabase, type Database, sql } from 'holdfast/postgres'
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import pg from 'pg'
import { createDatabaseForTest } from '../../../test/database.ts'
import { untilBlocked } from '../../../test/until-blocked.ts'
import { createCatalogRepository } from './catalog.repository.ts'
import { CatalogService } from './catalog.service.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
/** Two more who work on the same products. */
let other: pg.Client
let third: pg.Client
// In the table they lie the other way round.
const low = '01890000-0000-7000-8000-00000000000a'
const high = '01890000-0000-7000-8000-00000000000b'
before(async () => {
  stored = await createDatabaseForTest()
  database = createDatabase({ url: stored.url, role: 'app_service' })
  ;[other, third] = [new pg.Client(stored.url), new pg.Client(stored.url)]
  await Promise.all([other.connect(), third.connect()])
})
beforeEach(async () => {
  await other.query('delete from products')
  await other.query(
    `insert into products (id, sku, name, price_cents, stock) values ($2, 'B', 'b', 1, 5), ($1, 'A', 'a', 1, 5)`,
    [low, high],
  )
})
after(async () => {
  await database.close()
  await Promise.all([other.end(), third.end()])
  await stored.drop()
})

const stocks = async (): Promise<number[]> =>
  (await third.query('select stock from products order by id')).rows.map(({ stock }) => stock)

describe('given two products', () => {
  test('when both are held, in whatever order they are named, the first is waited for before the second is taken', async () => {
    for (const ids of [
      [low, high],
      [high, low],
    ]) {
      await other.query('begin')
      await other.query('select from products where id = $1 for update', [low])
      const held = database.transaction(() => createCatalogRepository(database).hold(ids))
      await untilBlocked(third)
      await third.query('select from products where id = $1 for update nowait', [high])
      await other.query('rollback')
      const products = await held
      assert.deepEqual(
        products.map(({ id }) => id),
        [low, high],
      )
    }
  })

  test('when they are held, they are seen as whoever had them before left them', async () => {
    await other.query('begin')
    await other.query('update products set stock = 1 where id = $1', [low])
    const held = database.transaction(() => createCatalogRepository(database).hold([low]))
    await untilBlocked(third)
    await other.query('commit')
    assert.equal((await held)[0]?.stock, 1)
  })

  test('when more of one is taken than there is, none of any is, whoever did not ask before', async () => {
    const repository = createCatalogRepository(database)
    const changes = [
      { id: low, by: -5 },
      { id: high, by: -6 },
    ]
    await assert.rejects(repository.changeStock(changes), { code: 'catalog.out_of_stock' })
    assert.deepEqual(await stocks(), [5, 5])
  })

  test('when some are reserved and given back, prices and versions say what happened', async () => {
    const catalog = new CatalogService(createCatalogRepository(database))
    const items = [{ productId: high, quantity: 5 }]
    const reserved = { productId: high, quantity: 5, sku: 'B', name: 'b', priceCents: 1 }
    assert.deepEqual(await database.transaction(() => catalog.reserve(items)), { items: [reserved] })
    assert.deepEqual(await stocks(), [5, 0])
    assert.ok('lacks' in (await database.transaction(() => catalog.reserve(items))))
    await database.transaction(() => catalog.restock(items))
    assert.deepEqual(await stocks(), [5, 5])
    assert.deepEqual((await database.query(sql`select version from products where id = ${high}`))[0], { version: 3 })
  })
})
