import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { type Shop, endAll, openShop } from './shop.ts'
import { firstBatch } from './wire-server.ts'

afterEach(endAll)

type Ask = (shop: Shop) => Promise<unknown>

const product = { _id: 'p2', sku: 'b', stock: 1 }

/** Every door that Mongoose has to the driver. */
const doors: Readonly<Record<string, Ask>> = {
  aggregate: ({ products }) => products.aggregate([{ $match: {} }]),
  'aggregate cursor': async ({ products }) => {
    for await (const one of products.aggregate([{ $match: {} }]).cursor()) expect(one).toMatchObject({ sku: 'a' })
  },
  bulkSave: ({ products }) => products.bulkSave([new products(product)]),
  bulkWrite: ({ products }) => products.bulkWrite([{ deleteOne: { filter: { _id: 'p1' } } }]),
  countDocuments: ({ products }) => products.countDocuments({}),
  create: ({ products }) => products.create(product),
  'cursor of a query': async ({ products }) => {
    for await (const one of products.find().cursor()) expect(one.sku).toBe('a')
  },
  deleteMany: ({ products }) => products.deleteMany({ stock: 0 }),
  deleteOne: ({ products }) => products.deleteOne({ _id: 'p1' }),
  'deleteOne of a document': async ({ products }) => (await products.findOne({ _id: 'p1' }))?.deleteOne(),
  distinct: ({ products }) => products.distinct('sku'),
  exists: ({ products }) => products.exists({ _id: 'p1' }),
  find: ({ products }) => products.find({ sku: 'a' }),
  findById: ({ products }) => products.findById('p1').lean(),
  findOne: ({ products }) => products.findOne({ _id: 'p1' }),
  findOneAndDelete: ({ products }) => products.findOneAndDelete({ _id: 'p1' }),
  findOneAndReplace: ({ products }) => products.findOneAndReplace({ _id: 'p1' }, product),
  findOneAndUpdate: ({ products }) => products.findOneAndUpdate({ _id: 'p1' }, { $inc: { stock: -1 } }),
  insert: ({ mongo, products }) => mongo.insert(products, product),
  insertMany: ({ products }) => products.insertMany([product]),
  'insertMany of plain objects': ({ products }) => products.insertMany([product], { lean: true }),
  many: ({ mongo, products }) => mongo.many(products.find(), (row: { sku: string }) => row.sku),
  replaceOne: ({ products }) => products.replaceOne({ _id: 'p1' }, product),
  'save of a new document': ({ products }) => new products(product).save(),
  'save of a changed document': async ({ products }) => {
    const found = await products.findOne({ _id: 'p1' })
    if (found !== null) found.stock = 7
    await found?.save()
  },
  'the collection of the driver': ({ products }) => products.collection.insertOne({ sku: 'c' }),
  updateMany: ({ products }) => products.updateMany({}, { $set: { stock: 1 } }),
  updateOne: ({ products }) => products.updateOne({ _id: 'p1' }, { $set: { stock: 1 } }),
}

describe('given a transaction that hands nothing to anybody', () => {
  for (const [name, ask] of Object.entries(doors)) {
    test(`when ${name} is asked for, it belongs to it and is bounded`, async () => {
      const shop = await openShop()
      await shop.mongo.transaction(async () => {
        await shop.products.findOne({ _id: 'p0' }).lean()
        await ask(shop)
      })
      const { commands } = shop.server
      const inside = commands.slice(1, -1)
      expect(inside.length, 'something was asked').toBeGreaterThan(0)
      expect(commands.at(-1)?.name).toBe('commitTransaction')
      const [first] = commands
      for (const { lsid, txnNumber, autocommit, startTransaction, body } of inside) {
        expect({ lsid, txnNumber, autocommit, startTransaction }).toEqual({
          lsid: first?.lsid,
          txnNumber: 1,
          autocommit: false,
          startTransaction: false,
        })
        expect(body['maxTimeMS']).toBeGreaterThan(0)
        expect(body['maxTimeMS']).toBeLessThanOrEqual(10_000)
      }
    })

    test(`when ${name} is asked for outside of it, it does not belong to it and is bounded all the same`, async () => {
      const shop = await openShop()
      await shop.mongo.transaction(() => shop.mongo.outsideTransaction(() => ask(shop)))
      expect(shop.server.commands.length).toBeGreaterThan(0)
      for (const { autocommit, body } of shop.server.commands) {
        expect(autocommit).toBeUndefined()
        expect(body['maxTimeMS']).toBe(10_000)
      }
    })
  }

  test('when it begins, it reads a snapshot; when it ends, a majority keeps it', async () => {
    const { mongo, products, server } = await openShop()
    await mongo.transaction(() => products.findOne({}))
    expect(server.commands).toMatchObject([
      { name: 'find', startTransaction: true, body: { readConcern: { level: 'snapshot' } } },
      { name: 'commitTransaction', autocommit: false, body: { writeConcern: { w: 'majority' }, maxTimeMS: 10_000 } },
    ])
  })

  test('when nothing is asked inside, nothing is sent', async () => {
    const { mongo, server } = await openShop()
    await expect(mongo.transaction(async () => 'nothing to do')).resolves.toBe('nothing to do')
    expect(server.names()).toEqual([])
  })

  test('when two operations are asked for at once, the second is sent after the answer to the first', async () => {
    const { mongo, products, server } = await openShop(async (command) => {
      if (command.name === 'find') {
        const before = server.commands.length
        // Long enough for whatever was sent at the same time to arrive.
        await sleep(40)
        expect(server.commands.length, 'nothing else came meanwhile').toBe(before)
      }
      return command.name === 'find' ? firstBatch(command, []) : { n: 1 }
    })
    await mongo.transaction(async () => {
      await Promise.all([products.find(), products.find(), products.updateOne({}, { $set: { stock: 1 } })])
    })
    expect(server.defects).toEqual([])
    expect(server.commands.map(({ startTransaction }) => startTransaction)).toEqual([true, false, false, false])
  })

  test('when nobody waits for an operation that comes at the very end, the commit comes after its answer, or it is refused', async () => {
    const answered: string[] = []
    const { mongo, products, server } = await openShop(async (command) => {
      // Long enough for a commit that was sent beside it to arrive.
      if (command.name === 'update') await sleep(10)
      answered.push(command.name)
      return command.name === 'find' ? firstBatch(command, []) : { n: 1 }
    })
    const ends: unknown[] = []
    // As many turns of the event loop's queue as Mongoose may take to ask, and more.
    for (let ticks = 0; ticks < 30; ticks += 1) {
      const write = async () => {
        for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve()
        return products.collection.updateOne({}, { $set: { stock: ticks } })
      }
      let late: Promise<unknown> | undefined
      await mongo.transaction(async () => {
        await products.findOne({}).lean()
        late = write().catch((error: Error) => error.message)
      })
      ends.push(await late)
    }
    const refused = ends.filter((end) => /after its end/.test(String(end)))
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThan(30)
    const whole = answered
      .join(' ')
      .replaceAll('find update commitTransaction', '+')
      .replaceAll('find commitTransaction', '-')
    expect(whole).toBe([...Array(30 - refused.length).fill('+'), ...Array(refused.length).fill('-')].join(' '))
    expect(server.defects).toEqual([])
  })

  test('when a query would rather ask a secondary, the primary answers it, as transactions want it', async () => {
    const { mongo, products, server } = await openShop()
    await mongo.transaction(() => products.find().read('secondary').readConcern('local'))
    expect(server.commands[0]?.body).toMatchObject({ readConcern: { level: 'snapshot' } })
    expect(server.commands[0]?.body['$readPreference']).toBeUndefined()
  })

  test('when an operation is given a session of its own, it is refused', async () => {
    const { products, server } = await openShop()
    await expect(products.find({}, null, { session: {} as never })).rejects.toThrow(/was given a session/)
    expect(server.names()).toEqual([])
  })

  test('when indexes are made inside, they are refused', async () => {
    const { mongo, products, server } = await openShop()
    const making = mongo.transaction(() => products.collection.createIndex({ sku: 1 }))
    await expect(making).rejects.toThrow('createIndex cannot be undone')
    expect(server.names()).toEqual([])
  })
})
