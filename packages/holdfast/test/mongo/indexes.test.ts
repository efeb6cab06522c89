import { Schema } from 'mongoose'
import { afterEach, describe, expect, test } from 'vitest'
import { assertIndexes, ensureIndexes } from '../../src/entry/mongo.ts'
import { agreeable, endAll, except, openShop, type Shop } from './shop.ts'
import { failure, firstBatch, type WireAnswer } from './wire-server.ts'

afterEach(endAll)

const orderSchema = new Schema({ customerId: String, at: Date, number: { type: Number, unique: true } })
orderSchema.index({ customerId: 1, at: -1 })

const own = { v: 2, key: { _id: 1 }, name: '_id_' }
const byNumber = { v: 2, key: { number: 1 }, name: 'number_1', unique: true }
const byCustomer = { v: 2, key: { customerId: 1, at: -1 }, name: 'customerId_1_at_-1' }

const orders = ({ mongo }: Shop) => mongo.model('Order', orderSchema)

describe('given schemas that declare indexes', () => {
  test('when they are made, the server is asked for all of a collection at once, with time to build them', async () => {
    const shop = await openShop(agreeable, { operationTimeoutMs: 50, socketTimeoutMs: 100 })
    const names = await ensureIndexes([shop.products, orders(shop)], { timeoutMs: 5000 })
    expect(names).toEqual(['products.products_sku', 'orders.number_1', 'orders.customerId_1_at_-1'])
    const [first, second] = shop.server.commands
    expect(first).toMatchObject({
      name: 'createIndexes',
      collection: 'products',
      body: { indexes: [{ name: 'products_sku', key: { sku: 1 }, unique: true }] },
    })
    expect(second).toMatchObject({ body: { indexes: [{ name: 'number_1' }, { name: 'customerId_1_at_-1' }] } })
  })

  test('when building takes longer than operations may, it goes on', async () => {
    const slow = except(async ({ name }) => {
      if (name === 'createIndexes') await new Promise((resolve) => setTimeout(resolve, 250))
      return undefined
    })
    const { products, server } = await openShop(slow, { operationTimeoutMs: 50, socketTimeoutMs: 100 })
    await ensureIndexes([products])
    expect(server.names()).toEqual(['createIndexes'])
  })

  test('when one is there with other keys, or documents clash in it, it says so', async () => {
    const answers: WireAnswer[] = [
      failure(86, 'IndexKeySpecsConflict'),
      failure(11_000, 'DuplicateKey', { errmsg: 'E11000 … index: products_sku dup key: { sku: "ann@example.org" }' }),
    ]
    const { products } = await openShop(() => answers.shift())
    await expect(ensureIndexes([products])).rejects.toThrow('An index of products is there with other keys or options')
    await expect(ensureIndexes([products])).rejects.toThrow('Documents in products clash')
  })

  const cases: Readonly<
    Record<string, { readonly existing: object[] | undefined; readonly lacks: RegExp | undefined }>
  > = {
    'all are there': { existing: [own, byNumber, byCustomer], lacks: undefined },
    'there are more': { existing: [own, byNumber, byCustomer, { key: { x: 1 }, name: 'x_1' }], lacks: undefined },
    'one is missing': { existing: [own, byNumber], lacks: /lacks the indexes orders.customerId_1_at_-1\. Run/ },
    'one is not unique': { existing: [own, { ...byNumber, unique: false }, byCustomer], lacks: /orders\.number_1\. / },
    'its fields stand in another order': {
      existing: [own, byNumber, { ...byCustomer, key: { at: -1, customerId: 1 } }],
      lacks: /customerId_1_at_-1/,
    },
    'nothing was ever stored': { existing: undefined, lacks: /orders.number_1, orders.customerId_1_at_-1/ },
  }
  for (const [name, { existing, lacks }] of Object.entries(cases)) {
    test(`when ${name}, the start of a service ${lacks === undefined ? 'goes on' : 'is refused'}`, async () => {
      const shop = await openShop((command) =>
        existing === undefined ? failure(26, 'NamespaceNotFound') : firstBatch(command, existing as never),
      )
      const asserting = assertIndexes([orders(shop)])
      if (lacks === undefined) await asserting
      else await expect(asserting).rejects.toThrow(lacks)
    })
  }
})
