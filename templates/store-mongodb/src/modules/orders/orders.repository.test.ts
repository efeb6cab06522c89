import { actAs, type Caller } from 'holdfast/http'
import { createMongo } from 'holdfast/mongo'
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createDatabaseForTest } from '../../../test/database.ts'
import type { Database } from '../../platform/database.ts'
import { createId } from '../../platform/ids.ts'
import { createOrdersRepository, type OrdersRepository } from './orders.repository.ts'
import type { Order } from './orders.schema.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
let orders: OrdersRepository
before(async () => {
  stored = await createDatabaseForTest()
  database = createMongo({ url: stored.url })
  orders = createOrdersRepository(database)
})
after(async () => {
  await database.close()
  await stored.drop()
})

const createCaller = (...permissions: string[]): Caller => ({ id: createId(), roles: [], permissions })
const buyer = createCaller()
const stranger = createCaller()

const lines = [{ productId: createId(), sku: 'ROPE', name: 'rope', priceCents: 1, quantity: 1 }]
const place = (caller: Caller, accountId = caller.id): Promise<Order> =>
  actAs(caller, () => orders.insert({ accountId, lines, totalCents: 1 }))

describe('given an order, and a question that forgot whose it is', () => {
  test('when its buyer asks, it is there', async () => {
    const order = await place(buyer)
    assert.deepEqual(await actAs(buyer, () => orders.find(order.id)), order)
    const { lines: _, ...summary } = order
    assert.deepEqual(await actAs(buyer, () => orders.list({ accountId: buyer.id, limit: 1 })), [summary])
  })

  for (const [who, caller] of [
    ['a stranger', stranger],
    ['nobody', undefined],
  ] as const) {
    test(`when ${who} asks, there is none, and none is changed or placed`, async () => {
      const { id } = await place(buyer)
      await actAs(caller, async () => {
        assert.equal(await orders.find(id), undefined)
        assert.deepEqual(await orders.list({ accountId: buyer.id, limit: 100 }), [])
        assert.equal(await orders.cancel(id, buyer.id), undefined)
        assert.equal(await orders.ship(id), undefined)
        await assert.rejects(orders.insert({ accountId: buyer.id, lines, totalCents: 1 }), /by the account it is for/)
      })
      assert.equal((await actAs(buyer, () => orders.find(id)))?.status, 'placed')
    })
  }

  test('when somebody may read all orders, or ship them, that is what they may', async () => {
    const { id } = await place(buyer)
    await actAs(createCaller('orders:read'), async () => {
      assert.equal((await orders.find(id))?.id, id)
      assert.equal(await orders.ship(id), undefined)
    })
    const shipped = await actAs(createCaller('orders:ship'), () => orders.ship(id))
    assert.equal(shipped?.status, 'shipped')
  })
})
