import { createDatabase, type Database, sql } from 'holdfast/postgres'
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createDatabaseForTest } from '../../test/database.ts'
import { createOutbox, type Outbox } from './outbox.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
let outbox: Outbox
before(async () => {
  stored = await createDatabaseForTest()
  database = createDatabase({ url: stored.url, role: 'app_service' })
  outbox = createOutbox(database)
})
after(async () => {
  await database.close()
  await stored.drop()
})

const event = { topic: 'products.added', payload: { sku: 'ROPE' } }
const addProduct = () => database.execute(sql`insert into products (sku, name, price_cents) values ('ROPE', 'rope', 1)`)
const events = () => database.query(sql`select topic, payload from outbox`)

describe('given something that happened', () => {
  test('when its event comes outside of a transaction, or before it, that is a defect and no event', async () => {
    await assert.rejects(outbox.add(event), /stands alone/)
    await assert.rejects(
      database.transaction(async () => {
        await database.query(sql`select id from products`)
        await outbox.add(event)
      }),
      /stands alone/,
    )
    assert.deepEqual(await events(), [])
  })

  test('when it is undone, its event is undone with it', async () => {
    const undone = database.transaction(async () => {
      await addProduct()
      await outbox.add(event)
      throw new Error('changed my mind')
    })
    await assert.rejects(undone, /changed my mind/)
    assert.deepEqual(await events(), [])
  })

  test('when it stays, its event stays with it', async () => {
    await database.transaction(async () => {
      await addProduct()
      await outbox.add(event)
    })
    assert.deepEqual(await events(), [event])
  })
})
