import mongoose from 'mongoose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startWireStore, type WireStore } from './wire-store.ts'

const { MongoClient } = mongoose.mongo
type Client = InstanceType<typeof MongoClient>

interface Thing {
  readonly _id: string
  readonly sku?: string
  readonly stock?: number
  readonly tags?: readonly string[]
  readonly endedAt?: Date | null
}

let store: WireStore
let client: Client
beforeEach(async () => {
  store = await startWireStore()
  client = new MongoClient(store.url, { serverSelectionTimeoutMS: 2000, maxPoolSize: 20 })
})
afterEach(async () => {
  await client.close()
  await store.close()
})

const things = () => client.db().collection<Thing>('things')
const fill = (...documents: readonly Thing[]) => things().insertMany(documents)
const idsOf = async (filter: object): Promise<string[]> => {
  const found = await things().find(filter).sort({ _id: 1 }).toArray()
  return found.map((one) => one._id)
}

describe('given documents', () => {
  beforeEach(() =>
    fill(
      { _id: 'a', sku: 'A', stock: 1, tags: ['x', 'y'], endedAt: null },
      { _id: 'b', sku: 'B', stock: 2, tags: [], endedAt: new Date(1000) },
      { _id: 'c', sku: 'C', stock: 3 },
    ),
  )

  test.each([
    [{}, ['a', 'b', 'c']],
    [{ stock: 2 }, ['b']],
    [{ stock: { $gte: 2, $lt: 3 } }, ['b']],
    [{ _id: { $gt: 'a' } }, ['b', 'c']],
    [{ _id: { $in: ['a', 'c'] } }, ['a', 'c']],
    [{ _id: { $ne: 'a' }, stock: 1 }, []],
    [{ tags: 'x' }, ['a']],
    [{ endedAt: null }, ['a', 'c']],
    [{ endedAt: { $exists: true } }, ['a', 'b']],
    [{ endedAt: { $lt: new Date(2000) } }, ['b']],
    [{ sku: { $lt: 5 } }, []],
    [{ $or: [{ sku: 'A' }, { sku: 'C' }] }, ['a', 'c']],
  ])('when they are asked for by %j, these come: %j', async (filter, ids) => {
    expect(await idsOf(filter)).toEqual(ids)
  })

  test('when they are sorted, cut and projected, that much comes', async () => {
    const found = await things().find({}).sort({ stock: -1 }).limit(2).project({ sku: 1 }).toArray()
    expect(found).toEqual([
      { _id: 'c', sku: 'C' },
      { _id: 'b', sku: 'B' },
    ])
  })

  test('when they are updated, what is asked changes and is counted', async () => {
    const result = await things().updateMany({ stock: { $gte: 2 } }, { $inc: { stock: 10 }, $set: { sku: 'Z' } })
    expect(result).toMatchObject({ matchedCount: 2, modifiedCount: 2 })
    expect(await things().findOneAndUpdate({ _id: 'b' }, { $unset: { sku: 1 } }, { returnDocument: 'after' })).toEqual({
      _id: 'b',
      stock: 12,
      tags: [],
      endedAt: new Date(1000),
    })
    expect(await things().findOneAndUpdate({ _id: 'none' }, { $set: { stock: 1 } })).toBeNull()
    expect(await things().updateOne({ _id: 'd' }, { $setOnInsert: { stock: 4 } }, { upsert: true })).toMatchObject({
      upsertedId: 'd',
    })
    expect((await things().deleteMany({ stock: { $gt: 3 } })).deletedCount).toBe(3)
    expect(await idsOf({})).toEqual(['a'])
  })

  test('when they are aggregated, they are grouped, numbered and looked up', async () => {
    await client
      .db()
      .collection<{ _id: string; day: string; sku: string; cents: number }>('sales')
      .insertMany([
        { _id: '1', day: 'mon', sku: 'A', cents: 5 },
        { _id: '2', day: 'mon', sku: 'A', cents: 2 },
        { _id: '3', day: 'mon', sku: 'B', cents: 3 },
        { _id: '4', day: 'tue', sku: 'A', cents: 1 },
      ])
    const found = await client
      .db()
      .collection('sales')
      .aggregate([
        { $match: { cents: { $gt: 0 } } },
        { $group: { _id: { day: '$day', sku: '$sku' }, cents: { $sum: '$cents' } } },
        {
          $setWindowFields: {
            partitionBy: '$_id.day',
            sortBy: { cents: -1 },
            output: { rank: { $documentNumber: {} } },
          },
        },
        {
          $setWindowFields: {
            partitionBy: '$_id.sku',
            sortBy: { '_id.day': 1 },
            output: { soFar: { $sum: '$cents', window: { documents: ['unbounded', 'current'] } } },
          },
        },
        { $match: { rank: 1 } },
        { $lookup: { from: 'things', localField: '_id.sku', foreignField: 'sku', as: 'thing' } },
        { $unwind: '$thing' },
        { $project: { _id: 0, day: '$_id.day', cents: 1, soFar: 1, stock: '$thing.stock' } },
        { $sort: { day: 1 } },
      ])
      .toArray()
    expect(found).toEqual([
      { day: 'mon', cents: 7, soFar: 7, stock: 1 },
      { day: 'tue', cents: 1, soFar: 8, stock: 1 },
    ])
  })
})

describe('given a unique index', () => {
  beforeEach(async () => {
    await things().createIndex({ sku: 1 }, { name: 'things_sku_key', unique: true })
    await fill({ _id: 'a', sku: 'A' }, { _id: 'b', sku: 'B' })
  })

  test('when a value is taken, inserts and updates are refused with its name, and nothing changes', async () => {
    const refused = { code: 11_000, keyPattern: { sku: 1 } }
    await expect(things().insertOne({ _id: 'c', sku: 'A' })).rejects.toMatchObject(refused)
    await expect(things().updateOne({ _id: 'b' }, { $set: { sku: 'A' } })).rejects.toMatchObject(refused)
    await expect(things().findOneAndUpdate({ _id: 'b' }, { $set: { sku: 'A' } })).rejects.toThrow(/things_sku_key/)
    await expect(things().insertOne({ _id: 'a', sku: 'C' })).rejects.toMatchObject({ keyPattern: { _id: 1 } })
    expect(await idsOf({})).toEqual(['a', 'b'])
  })

  test('when it is made again it stays, and when documents break it, it is not made', async () => {
    await things().createIndex({ sku: 1 }, { name: 'things_sku_key', unique: true })
    expect((await things().listIndexes().toArray()).map(({ name }) => String(name))).toEqual(['_id_', 'things_sku_key'])
    await things().updateMany({}, { $set: { stock: 1 } })
    await expect(things().createIndex({ stock: 1 }, { unique: true })).rejects.toMatchObject({ code: 11_000 })
  })
})

describe('given transactions', () => {
  beforeEach(async () => {
    await things().createIndex({ sku: 1 }, { name: 'things_sku_key', unique: true })
    await fill({ _id: 'a', sku: 'A', stock: 1 })
  })

  async function begin() {
    const session = client.startSession()
    session.startTransaction()
    return session
  }
  const stockOf = async (session?: Awaited<ReturnType<typeof begin>>) =>
    (await things().findOne({ _id: 'a' }, session && { session }))?.stock
  const take = (session?: Awaited<ReturnType<typeof begin>>) =>
    things().updateOne({ _id: 'a' }, { $inc: { stock: -1 } }, session && { session })

  test('when one writes, it sees that, others do when it commits, and nobody when it is undone', async () => {
    const first = await begin()
    await take(first)
    expect([await stockOf(first), await stockOf()]).toEqual([0, 1])
    await first.commitTransaction()
    expect(await stockOf()).toBe(0)
    const second = await begin()
    await take(second)
    await second.abortTransaction()
    expect(await stockOf()).toBe(0)
  })

  test('when it has begun, it sees what was there then', async () => {
    const session = await begin()
    expect(await stockOf(session)).toBe(1)
    await take()
    expect([await stockOf(session), await stockOf()]).toEqual([1, 0])
    await expect(take(session)).rejects.toMatchObject({ code: 112, errorLabels: ['TransientTransactionError'] })
  })

  test('when two write one document, the second is refused and over', async () => {
    const [first, second] = [await begin(), await begin()]
    await take(first)
    await expect(take(second)).rejects.toMatchObject({ code: 112, errorLabels: ['TransientTransactionError'] })
    await expect(stockOf(second)).rejects.toMatchObject({ code: 251 })
    await first.commitTransaction()
    expect(await stockOf()).toBe(0)
  })

  test('when two take one unique value, the second is refused', async () => {
    const [first, second] = [await begin(), await begin()]
    await things().insertOne({ _id: 'b', sku: 'B' }, { session: first })
    await expect(things().insertOne({ _id: 'c', sku: 'B' }, { session: second })).rejects.toMatchObject({ code: 112 })
    await first.commitTransaction()
    expect(await idsOf({ sku: 'B' })).toEqual(['b'])
  })

  test('when a single write meets one, it waits for the end', async () => {
    const session = await begin()
    await take(session)
    const waiting = take()
    await store.server.received('update', 2)
    expect(await stockOf()).toBe(1)
    await session.commitTransaction()
    await waiting
    expect(await stockOf()).toBe(-1)
  })

  test('when something in it is refused, all of it is undone', async () => {
    const session = await begin()
    await take(session)
    await expect(things().insertOne({ _id: 'b', sku: 'A' }, { session })).rejects.toMatchObject({ code: 11_000 })
    await expect(session.commitTransaction()).rejects.toMatchObject({ code: 251 })
    expect(await stockOf()).toBe(1)
  })

  test('when twenty take one piece each of ten, ten get it', async () => {
    await things().updateOne({ _id: 'a' }, { $set: { stock: 10 } })
    const took = await Promise.all(
      Array.from({ length: 20 }, () =>
        client.withSession((session) =>
          session.withTransaction(async () => {
            const filter = { _id: 'a', stock: { $gt: 0 } }
            const { matchedCount } = await things().updateOne(filter, { $inc: { stock: -1 } }, { session })
            return matchedCount
          }),
        ),
      ),
    )
    expect(took.filter((count) => count === 1)).toHaveLength(10)
    expect(store.documents('things')).toMatchObject([{ stock: 0 }])
  })
})

describe('given what it does not know', () => {
  test.each([
    ['the command mapReduce', () => client.db().command({ mapReduce: 'things' })],
    ['the filter $regex', () => things().findOne({ sku: { $regex: 'a' } })],
    ['the update $rename', () => things().updateMany({}, { $rename: { sku: 'name' } })],
    ['updates by pipeline', () => things().updateMany({}, [{ $set: { sku: 'a' } }])],
    ['collation of the command find', () => things().findOne({}, { collation: { locale: 'en' } })],
    [
      'the stage $facet',
      () =>
        things()
          .aggregate([{ $facet: {} }])
          .toArray(),
    ],
    ['indexes with sparse', () => things().createIndex({ sku: 1 }, { sparse: true })],
  ])('when %s comes, it says so', async (words, ask) => {
    await fill({ _id: 'a', sku: 'A' })
    await expect(ask()).rejects.toThrow(words)
  })
})
