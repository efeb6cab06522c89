import { randomUUID } from 'node:crypto'
import mongoose, { Schema } from 'mongoose'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { isolated } from '../../src/core/context/acting.ts'
import {
  assertIndexes,
  createMongo,
  ensureIndexes,
  type MongoDatabase,
  type MongoOptions,
} from '../../src/entry/mongo.ts'
import { ConflictError, isAppError } from '../../src/foundation/errors.ts'
import { type FaultProxy, startProxy } from '../faults/proxy.ts'
import { expectNothingLost, openAccounts, openBank, transfers } from './bank.ts'
import { live, sayWhatIsNotProven } from './live-server.ts'
import { endAll, endLater } from './shop.ts'

vi.setConfig({ testTimeout: 120_000 })
beforeAll(sayWhatIsNotProven)
afterEach(endAll)

const productSchema = new Schema({
  _id: String,
  sku: { type: String, required: true },
  stock: { type: Number, required: true },
  tags: [String],
})
productSchema.index({ sku: 1 }, { unique: true, name: 'products_sku' })

const accountSchema = new Schema({ _id: Number, cents: { type: Number, required: true } })

const orderSchema = new Schema({ _id: String, sku: String, buyer: Number, open: Boolean })
// One open order for each buyer.
orderSchema.index({ buyer: 1 }, { unique: true, name: 'orders_open', partialFilterExpression: { open: { $eq: true } } })

function openShop(url: string, options: Partial<MongoOptions> = {}) {
  const mongo = createMongo({ url, ...options })
  endLater(() => mongo.close())
  return {
    mongo,
    products: mongo.model('Product', productSchema),
    accounts: mongo.model('Account', accountSchema),
    orders: mongo.model('Order', orderSchema),
  }
}

type Shop = ReturnType<typeof openShop>

const toStock = ({ stock }: { readonly stock: number }): number => stock
const taken = { products_sku: (cause: unknown) => new ConflictError('catalog.sku_taken', 'Taken.', { cause }) }

describe('given a live MongoDB with documents', () => {
  test(
    'when work throws, nothing of it is there; when it ends well, all of it is',
    live(async ({ url, db }) => {
      const { mongo, products, accounts } = openShop(url)
      const write = async (id: string): Promise<void> => {
        await mongo.insert(products, { _id: id, sku: id, stock: 1 })
        await new accounts({ _id: id.length, cents: 5 }).save()
        await products.updateOne({ _id: id }, { $inc: { stock: 4 } })
        await expect(mongo.one(products.find({ _id: id }), toStock), 'reads its own writes').resolves.toBe(5)
      }
      const failing = mongo.transaction(async () => {
        await write('a')
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      expect(await db.collection('products').countDocuments()).toBe(0)
      expect(await db.collection('accounts').countDocuments()).toBe(0)
      await mongo.transaction(() => write('a'))
      expect(await db.collection('products').find().toArray()).toMatchObject([{ _id: 'a', stock: 5 }])
      expect(await db.collection('accounts').countDocuments()).toBe(1)
    }),
  )

  test(
    'when a part fails and that is caught, nothing of the whole is there',
    live(async ({ url, db }) => {
      const { mongo, products } = openShop(url)
      const work = mongo.transaction(async () => {
        await mongo.insert(products, { _id: 'a', sku: 'a', stock: 1 })
        await mongo
          .transaction(async () => {
            await mongo.insert(products, { _id: 'b', sku: 'b', stock: 1 })
            throw new Error('only this part')
          })
          .catch(() => {})
      })
      await expect(work).rejects.toThrow('MongoDB cannot undo a part')
      expect(await db.collection('products').countDocuments()).toBe(0)
    }),
  )

  test(
    'when an operation fails and that is caught, the server has undone what was before it',
    live(async ({ url, db }) => {
      const { mongo, products } = openShop(url)
      await ensureIndexes([products])
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 1 })
      const work = mongo.transaction(async () => {
        await products.updateOne({ _id: 'a' }, { $set: { stock: 9 } })
        await mongo.insert(products, { _id: 'b', sku: 'a', stock: 1 }).catch(() => {})
      })
      await expect(work).rejects.toMatchObject({ kind: 'conflict' })
      expect(await db.collection('products').find().toArray()).toMatchObject([{ _id: 'a', stock: 1 }])
    }),
  )

  test(
    'when a transaction runs, others see nothing of it, and it nothing of others',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url)
      const stock = (): Promise<number> => mongo.one(products.find({ _id: 'a' }), toStock)
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 1 })
      await mongo.insert(products, { _id: 'b', sku: 'b', stock: 1 })
      await mongo.transaction(async () => {
        expect(await stock()).toBe(1)
        await products.updateOne({ _id: 'b' }, { $set: { stock: 7 } })
        await mongo.outsideTransaction(async () => {
          await expect(mongo.one(products.find({ _id: 'b' }), toStock), 'not committed').resolves.toBe(1)
          await products.updateOne({ _id: 'a' }, { $set: { stock: 2 } })
        })
        expect(await stock(), 'still the snapshot').toBe(1)
        const seen: unknown[] = []
        for await (const product of products.find().sort({ _id: 1 }).lean().cursor()) seen.push(product.stock)
        expect(seen).toEqual([1, 7])
        expect(await products.aggregate([{ $group: { _id: null, sum: { $sum: '$stock' } } }])).toMatchObject([
          { sum: 8 },
        ])
        expect(await products.distinct('stock')).toEqual([1, 7])
        expect(await products.countDocuments({ stock: 1 })).toBe(1)
      })
      expect(await stock()).toBe(2)
    }),
  )

  test(
    'when all kinds of operations are asked inside and it is undone, none has left a trace',
    live(async ({ url, db }) => {
      const { mongo, products } = openShop(url)
      await products.insertMany(['a', 'b', 'c', 'd', 'e', 'f'].map((sku) => ({ _id: sku, sku, stock: 1 })))
      const before = await db.collection('products').find().sort({ _id: 1 }).toArray()
      const work = mongo.transaction(async () => {
        await products.findOneAndUpdate({ _id: 'a' }, { $inc: { stock: 1 } })
        await products.findOneAndReplace({ _id: 'b' }, { sku: 'B', stock: 5 })
        await products.findOneAndDelete({ _id: 'c' })
        await products.bulkWrite([
          { deleteOne: { filter: { _id: 'd' } } },
          { insertOne: { document: { _id: 'x', sku: 'x', stock: 1 } } },
        ])
        await products.updateMany({}, { $push: { tags: 'seen' } })
        const found = await products.findById('e')
        found?.tags.push('saved')
        await found?.save()
        await products.deleteMany({ _id: { $in: ['f'] } })
        await products.collection.insertOne({ sku: 'driver' })
        expect(await products.countDocuments({})).toBe(5)
        throw new Error('undone')
      })
      await expect(work).rejects.toThrow('undone')
      expect(await db.collection('products').find().sort({ _id: 1 }).toArray()).toEqual(before)
    }),
  )

  test(
    'when two saved the same document, the second hears of it',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url)
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 1 })
      const [one, other] = [await products.findById('a'), await products.findById('a')]
      one?.set('stock', 2)
      other?.set('stock', 3)
      await one?.save()
      const late = mongo.run(async () => await other?.save())
      await expect(late).rejects.toMatchObject({ kind: 'conflict', code: 'database.changed_meanwhile' })
      expect(await mongo.one(products.find(), toStock)).toBe(2)
    }),
  )
})

describe('given a live MongoDB that keeps rules', () => {
  test(
    'when indexes are missing, a service does not start; when they are made, it does',
    live(async ({ url, db }) => {
      const { products, orders } = openShop(url)
      await expect(assertIndexes([products, orders])).rejects.toThrow('products.products_sku, orders.orders_open')
      await ensureIndexes([products, orders])
      await ensureIndexes([products, orders])
      await assertIndexes([products, orders])
      await db.collection('products').dropIndex('products_sku')
      await db.collection('products').createIndex({ sku: 1 }, { name: 'products_sku' })
      await expect(assertIndexes([products])).rejects.toThrow('products.products_sku')
      await expect(ensureIndexes([products])).rejects.toThrow('is there with other keys or options')
    }),
  )

  test(
    'when documents clash already, the index is not made and the message says why',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url)
      await mongo.insert(products, [
        { _id: 'a', sku: 'same', stock: 1 },
        { _id: 'b', sku: 'same', stock: 1 },
      ])
      await expect(ensureIndexes([products])).rejects.toThrow('Documents in products clash')
    }),
  )

  test(
    'when a key is taken, it is a conflict by whatever door, named by its index',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url)
      await ensureIndexes([products])
      await mongo.insert(products, [
        { _id: 'a', sku: 'a', stock: 1 },
        { _id: 'b', sku: 'b', stock: 1 },
      ])
      const sku = { kind: 'conflict', code: 'catalog.sku_taken' }
      const options = { constraints: taken }
      await expect(mongo.insert(products, { _id: 'c', sku: 'a', stock: 1 }, options)).rejects.toMatchObject(sku)
      const rename = products.findOneAndUpdate({ _id: 'b' }, { $set: { sku: 'a' } })
      await expect(mongo.maybeOne(rename, toStock, options)).rejects.toMatchObject(sku)
      await expect(
        mongo.execute(products.updateOne({ _id: 'b' }, { $set: { sku: 'a' } }), options),
      ).rejects.toMatchObject(sku)
      const inside = mongo.transaction(() => mongo.insert(products, { _id: 'c', sku: 'a', stock: 1 }, options))
      await expect(inside).rejects.toMatchObject(sku)
      await expect(products.create({ _id: 'a', sku: 'z', stock: 1 })).rejects.toMatchObject({
        code: 'database.already_exists',
      })
    }),
  )

  test(
    'when many want the same key at once, one of them has it',
    live(async ({ url, db }) => {
      const { mongo, products } = openShop(url)
      await ensureIndexes([products])
      const ends = await Promise.allSettled(
        Array.from({ length: 32 }, (_, at) =>
          mongo.transaction(() => mongo.insert(products, { _id: `p${at}`, sku: 'one', stock: at })),
        ),
      )
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const end of ends) if (end.status === 'rejected') expect(isAppError(end.reason)).toBe(true)
      expect(await db.collection('products').countDocuments()).toBe(1)
    }),
  )

  test(
    'when an index holds for some documents only, it holds for those',
    live(async ({ url }) => {
      const { mongo, orders } = openShop(url)
      await ensureIndexes([orders])
      await mongo.insert(orders, { _id: '1', buyer: 1, open: true })
      await mongo.insert(orders, { _id: '2', buyer: 1, open: false })
      await mongo.insert(orders, { _id: '3', buyer: 1, open: false })
      await expect(mongo.insert(orders, { _id: '4', buyer: 1, open: true })).rejects.toMatchObject({ kind: 'conflict' })
    }),
  )

  test(
    'when the collection has a validator, what got past everything else is a defect and not stored',
    live(async ({ url, db }) => {
      const { products } = openShop(url)
      await db.createCollection('products', {
        validator: { $jsonSchema: { bsonType: 'object', properties: { stock: { bsonType: 'number', minimum: 0 } } } },
      })
      await products.create({ _id: 'a', sku: 'a', stock: 1 })
      const oversold = products.updateOne({ _id: 'a' }, { $inc: { stock: -2 } })
      await expect(oversold).rejects.toMatchObject({ name: 'MongoServerError', code: 121 })
      await expect(products.findById('a').lean()).resolves.toMatchObject({ stock: 1 })
    }),
  )

  test(
    'when a guarded update finds too little stock, it takes hold of nothing',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url)
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 3 })
      const take = (pieces: number): Promise<number | undefined> =>
        mongo.maybeOne(
          products.findOneAndUpdate(
            { _id: 'a', stock: { $gte: pieces } },
            { $inc: { stock: -pieces } },
            { returnDocument: 'after' },
          ),
          toStock,
        )
      expect([await take(2), await take(2), await take(1)]).toEqual([1, undefined, 0])
      expect(await mongo.execute(products.updateMany({ stock: 99 }, { $set: { stock: 0 } }))).toBe(0)
      expect(await mongo.execute(products.deleteMany({ sku: 'a' }))).toBe(1)
    }),
  )
})

describe('given a live MongoDB under many at once', () => {
  test(
    'when two write one document, the one that is late runs again',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url)
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 0 })
      const { promise: written, resolve: hasWritten } = Promise.withResolvers<void>()
      const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>()
      const add = { $inc: { stock: 1 } }
      const early = mongo.transaction(async () => {
        await products.updateOne({ _id: 'a' }, add)
        hasWritten()
        await mayCommit
      })
      await written
      let runs = 0
      const late = mongo.transaction(
        async () => {
          runs += 1
          if (runs === 2) {
            commit()
            await early
          }
          await products.updateOne({ _id: 'a' }, add)
        },
        { retries: 10 },
      )
      await Promise.all([early, late])
      expect(runs, 'a true write conflict').toBeGreaterThan(1)
      expect(await mongo.one(products.find(), toStock)).toBe(2)
    }),
  )

  test(
    'when 64 buyers want 20 pieces, 20 get one and none is sold twice',
    live(async ({ url }) => {
      const { mongo, products, orders } = openShop(url, {
        maxConnections: 16,
        waitQueueTimeoutMs: 60_000,
        transactionTimeoutMs: 60_000,
      })
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 20 })
      const buy = (buyer: number): Promise<void> =>
        mongo.transaction(
          async () => {
            const taking = products.updateOne({ _id: 'a', stock: { $gte: 1 } }, { $inc: { stock: -1 } })
            if ((await mongo.execute(taking)) === 0) throw new ConflictError('shop.sold_out', 'Sold out.')
            await mongo.insert(orders, { _id: randomUUID(), sku: 'a', buyer, open: true })
          },
          { retries: 10 },
        )
      const left = new Set(Array.from({ length: 64 }, (_, buyer) => buyer))
      // Whoever was refused because too many were at it comes back, as a client does.
      for (let round = 0; round < 20 && left.size > 0; round += 1) {
        await Promise.all(
          [...left].map(async (buyer) => {
            try {
              await buy(buyer)
              left.delete(buyer)
            } catch (thrown) {
              if (!isAppError(thrown)) throw thrown
              if (thrown.code === 'shop.sold_out') left.delete(buyer)
              else expect(thrown.code).toBe('database.busy')
            }
          }),
        )
      }
      expect(left.size).toBe(0)
      expect(await mongo.one(products.find(), toStock)).toBe(0)
      expect(await orders.countDocuments({ sku: 'a' })).toBe(20)
      const { total, idle, waiting } = mongo.stats()
      expect({ idle, waiting }).toEqual({ idle: total, waiting: 0 })
    }),
  )

  test(
    'when 64 transfers cross each other, no cent is lost',
    live(async ({ url }) => {
      const bank = openBank(url, { maxConnections: 16, waitQueueTimeoutMs: 60_000 })
      await openAccounts(bank)
      const told = await transfers(bank, 64)
      expect(told.done.size).toBeGreaterThan(0)
      await expectNothingLost(bank, told)
    }),
  )

  test(
    'when connections are cut at random meanwhile, none is lost or doubled',
    live(async ({ url, client }) => {
      const proxy = await proxyTo(url, client)
      const bank = openBank(proxy.url, { maxConnections: 8, waitQueueTimeoutMs: 60_000 })
      await openAccounts(bank)
      const storm = setInterval(() => proxy.reset(), 200)
      endLater(async () => clearInterval(storm))
      const told = await transfers(bank, 200)
      clearInterval(storm)
      await bank.mongo.check()
      await expectNothingLost(bank, told)
      expect(told.done.size).toBeGreaterThan(0)
      const { total, idle, waiting } = bank.mongo.stats()
      expect({ idle, waiting }).toEqual({ idle: total, waiting: 0 })
    }),
  )
})

/** Straight to the primary, past what the replica set says of its members. */
async function proxyTo(
  url: string,
  client: mongoose.mongo.MongoClient,
): Promise<{ readonly url: string } & Pick<FaultProxy, 'reset'>> {
  const hello = await client.db('admin').command({ hello: 1 })
  const [host, port] = String(hello['primary'] ?? hello['me']).split(':')
  const address = host === 'localhost' ? '127.0.0.1' : host
  if (address !== '127.0.0.1')
    throw new Error('The proxy reaches a primary on 127.0.0.1 only; start one there for this test')
  const proxy = await startProxy(Number(port))
  endLater(() => proxy.stop())
  const credentials = /^mongodb:\/\/([^/@]*@)?/.exec(url)?.[1] ?? ''
  const [path, parameters] = url.replace(/^mongodb:\/\/[^/]+/, '').split('?')
  const more = new URLSearchParams(parameters)
  more.delete('replicaSet')
  more.set('directConnection', 'true')
  return {
    url: `mongodb://${credentials}127.0.0.1:${proxy.port}${path}?${more.toString()}`,
    reset: () => proxy.reset(),
  }
}

describe('given a live MongoDB and limits', () => {
  /** Compares each document with each: seconds of work for a few thousand of them. */
  const heavy = [
    {
      $lookup: {
        from: 'products',
        let: { stock: '$stock' },
        pipeline: [{ $match: { $expr: { $gt: ['$stock', '$$stock'] } } }, { $count: 'n' }],
        as: 'more',
      },
    },
    { $sort: { 'more.n': -1 as const } },
  ]
  const fill = (mongo: MongoDatabase, products: Shop['products']): Promise<number> =>
    mongo.insert(
      products,
      Array.from({ length: 4000 }, (_, at) => ({ _id: `p${at}`, sku: `s${at}`, stock: at })),
    )

  test(
    'when an operation takes too long, the server ends it',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url, { operationTimeoutMs: 5000 })
      await fill(mongo, products)
      const late = { kind: 'timeout', code: 'database.timeout' }
      await expect(products.aggregate(heavy).option({ maxTimeMS: 50 })).rejects.toMatchObject(late)
      const inside = mongo.transaction(() => products.aggregate(heavy).option({ maxTimeMS: 50 }))
      await expect(inside).rejects.toMatchObject(late)
      await expect(products.countDocuments({})).resolves.toBe(4000)
    }),
  )

  test(
    'when its caller has gone, the server stops working on it',
    live(async ({ url, client }) => {
      const { mongo, products } = openShop(url)
      await fill(mongo, products)
      const comment = randomUUID()
      const caller = new AbortController()
      const asked = mongo.run(async () => await products.aggregate(heavy).option({ comment }), {
        signal: caller.signal,
      })
      asked.catch(() => {})
      const running = async (): Promise<number> => {
        const operations = client
          .db('admin')
          .aggregate([{ $currentOp: {} }, { $match: { 'command.comment': comment } }])
        return (await operations.toArray()).length
      }
      await expect.poll(running, { timeout: 5000 }).toBe(1)
      caller.abort(new Error('gone'))
      await expect(asked).rejects.toThrow('gone')
      await expect.poll(running, { timeout: 5000 }).toBe(0)
    }),
  )

  test(
    'when a transaction runs out of time, what it wrote is gone and nobody is locked out',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url)
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 1 })
      const stuck = mongo.transaction(
        async () => {
          await products.updateOne({ _id: 'a' }, { $set: { stock: 9 } })
          await new Promise(() => {})
        },
        { timeoutMs: 300 },
      )
      await expect(stuck).rejects.toMatchObject({ code: 'database.transaction_timeout' })
      await mongo.transaction(() => products.updateOne({ _id: 'a' }, { $inc: { stock: 1 } }))
      expect(await mongo.one(products.find(), toStock)).toBe(2)
    }),
  )

  test(
    'when a retryable write arrives twice, it is done once',
    live(async ({ url, client, db }) => {
      const { mongo, products } = openShop(url)
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 0 })
      await client.withSession(async (session) => {
        const write = {
          update: 'products',
          updates: [{ q: { _id: 'a' }, u: { $inc: { stock: 1 } } }],
          txnNumber: mongoose.mongo.Long.fromNumber(1),
        }
        await db.command(write, { session })
        await db.command(write, { session })
      })
      expect(await mongo.one(products.find(), toStock)).toBe(1)
    }),
  )

  test(
    'when something was written, the next read sees it, in whatever connection; a secondary after a while',
    live(async ({ url }) => {
      const { mongo, products } = openShop(url, {
        workloads: { reporting: { maxConnections: 2, readPreference: 'secondaryPreferred' } },
      })
      await mongo.insert(products, { _id: 'a', sku: 'a', stock: 0 })
      for (let stock = 1; stock <= 30; stock += 1) {
        await products.updateOne({ _id: 'a' }, { $set: { stock } })
        const reads = await Promise.all(Array.from({ length: 4 }, () => mongo.one(products.find(), toStock)))
        expect(reads).toEqual([stock, stock, stock, stock])
      }
      const reported = (): Promise<number> => isolated('reporting', () => mongo.one(products.find(), toStock))
      await expect.poll(reported, { timeout: 5000 }).toBe(30)
    }),
  )
})
