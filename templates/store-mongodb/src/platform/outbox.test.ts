import { createMongo } from 'holdfast/mongo'
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createDatabaseForTest } from '../../test/database.ts'
import { createCatalogRepository } from '../modules/catalog/catalog.repository.ts'
import type { Database } from './database.ts'
import { createOutbox, openOutbox } from './outbox.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
before(async () => {
  stored = await createDatabaseForTest()
  database = createMongo({ url: stored.url })
})
after(async () => {
  await database.close()
  await stored.drop()
})

const event = { topic: 'products.added', payload: { sku: 'ROPE', nothing: {} } }
const add = async () => {
  await createCatalogRepository(database).insert({ sku: 'ROPE', name: 'rope', priceCents: 1, stock: 0 })
  await createOutbox(database).add(event)
}
const events = () =>
  database.many(openOutbox(database).find(), ({ topic, payload }: typeof event) => ({ topic, payload }))

describe('given something that happened', () => {
  test('when its event comes outside of a transaction, that is a defect and no event', async () => {
    await assert.rejects(createOutbox(database).add(event), /stands alone/)
    assert.deepEqual(await events(), [])
  })

  test('when it is undone, its event is undone with it', async () => {
    const undone = database.transaction(async () => {
      await add()
      throw new Error('changed my mind')
    })
    await assert.rejects(undone, /changed my mind/)
    assert.deepEqual(await events(), [])
  })

  test('when it stays, its event stays with it', async () => {
    await database.transaction(add)
    assert.deepEqual(await events(), [event])
  })
})
