import { isAppError } from 'holdfast/errors'
import { createMongo } from 'holdfast/mongo'
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { createDatabaseForTest } from '../../../test/database.ts'
import type { Database } from '../../platform/database.ts'
import { type CatalogRepository, createCatalogRepository } from './catalog.repository.ts'
import type { Product } from './catalog.schema.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
let catalog: CatalogRepository
before(async () => {
  stored = await createDatabaseForTest()
  database = createMongo({ url: stored.url })
  catalog = createCatalogRepository(database)
})
after(async () => {
  await database.close()
  await stored.drop()
})

let made = 0
let one: Product
let other: Product
beforeEach(async () => {
  one = await insert()
  other = await insert()
})

function insert(): Promise<Product> {
  made += 1
  return catalog.insert({ sku: `ROPE-${made}`, name: 'rope', priceCents: 1, stock: 3 })
}

const stocks = async () => [(await catalog.find(one.id))?.stock, (await catalog.find(other.id))?.stock]

describe('given products with three pieces each', () => {
  test('when more than that leave of one, none leave of the other in its transaction', async () => {
    const changes = [
      { id: one.id, by: -3 },
      { id: other.id, by: -4 },
    ]
    const change = database.transaction(() => catalog.changeStock(changes))
    await assert.rejects(change, (error) => isAppError(error) && error.code === 'catalog.out_of_stock')
    assert.deepEqual(await stocks(), [3, 3])
  })

  test('when pieces leave of one and come to the other, both say so, and their versions grow', async () => {
    await catalog.changeStock([
      { id: one.id, by: -3 },
      { id: other.id, by: 2 },
    ])
    assert.deepEqual(await stocks(), [0, 5])
    assert.equal((await catalog.find(one.id))?.version, 2)
  })

  test('when two transactions hold the same ones, one comes after the other, and each sees what is there then', async () => {
    const ids = [one.id, other.id]
    const take = (held: readonly string[]) =>
      database.transaction(
        async () => {
          const products = await catalog.hold(held)
          await catalog.changeStock([{ id: one.id, by: -1 }])
          return products.find(({ id }) => id === one.id)?.stock
        },
        { retries: 10 },
      )
    const seen = await Promise.all([take(ids), take(ids.toReversed()), take(ids)])
    assert.deepEqual(new Set(seen), new Set([1, 2, 3]))
    assert.deepEqual(await stocks(), [0, 3])
  })

  test('when a SKU is taken, the refusal says that of it, and nothing of the store', async () => {
    const again = catalog.insert({ sku: one.sku, name: 'rope', priceCents: 1, stock: 0 })
    await assert.rejects(again, (error) => isAppError(error) && error.code === 'catalog.sku_taken')
  })
})
