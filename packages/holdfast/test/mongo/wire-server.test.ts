import mongoose from 'mongoose'
import { afterEach, describe, expect, test } from 'vitest'
import { cut, failure, firstBatch, hang, startWireServer, writeErrors } from './wire-server.ts'
import type { WireAnswer, WireHandler, WireServer } from './wire-server.ts'

const { MongoClient } = mongoose.mongo
type Client = InstanceType<typeof MongoClient>

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function setUp(handler: WireHandler): Promise<{ server: WireServer; client: Client }> {
  const server = await startWireServer(handler)
  const client = new MongoClient(server.url, { serverSelectionTimeoutMS: 2000, retryWrites: false, retryReads: false })
  ends.push(
    () => server.close(),
    () => client.close(),
  )
  return { server, client }
}

describe('given a scripted primary and the driver as it is', () => {
  test('when documents are found and inserted, the handler sees them and its answer arrives', async () => {
    const { server, client } = await setUp((command) =>
      command.name === 'find' ? firstBatch(command, [{ sku: 'a' }, { sku: 'b' }]) : { n: 2 },
    )
    expect(await client.db().collection('products').find({ sku: 'a' }).toArray()).toEqual([{ sku: 'a' }, { sku: 'b' }])
    const inserted = await client
      .db()
      .collection('products')
      .insertMany([{ sku: 'c' }, { sku: 'd' }])
    expect(inserted.insertedCount).toBe(2)
    expect(server.commands).toMatchObject([
      { name: 'find', database: 'shop', collection: 'products', body: { filter: { sku: 'a' } }, txnNumber: undefined },
      { name: 'insert', collection: 'products', body: { documents: [{ sku: 'c' }, { sku: 'd' }] } },
    ])
  })

  test('when there is a transaction, each command of it tells its session and number', async () => {
    const { server, client } = await setUp(() => ({ n: 1 }))
    const session = client.startSession()
    await session.withTransaction(async () => {
      await client.db().collection('products').insertOne({ sku: 'a' }, { session })
      await client.db().collection('products').deleteOne({ sku: 'b' }, { session })
    })
    await session.endSession()
    expect(server.names()).toEqual(['insert', 'delete', 'commitTransaction'])
    expect(new Set(server.commands.map(({ lsid, txnNumber }) => `${lsid} ${txnNumber}`)).size).toBe(1)
    expect(server.commands.map(({ startTransaction }) => startTransaction)).toEqual([true, false, false])
    expect(server.commands.every(({ autocommit }) => autocommit === false)).toBe(true)
  })

  test('when it refuses, cuts or hangs, the driver sees just that', async () => {
    const answers: WireAnswer[] = [
      failure(112, 'WriteConflict'),
      writeErrors({ code: 11_000, errmsg: 'E11000' }),
      cut,
      hang,
    ]
    const { server, client } = await setUp(() => answers.shift())
    const products = client.db().collection('products')
    await expect(products.insertOne({})).rejects.toMatchObject({ code: 112, codeName: 'WriteConflict' })
    await expect(products.insertOne({})).rejects.toMatchObject({ name: 'MongoServerError', code: 11_000 })
    await expect(products.insertOne({})).rejects.toMatchObject({ name: 'MongoNetworkError' })
    const hung = products.insertOne({})
    await server.received('insert', 4)
    server.cutAll()
    await expect(hung).rejects.toMatchObject({ name: 'MongoNetworkError' })
  })

  test('when it steps down and up again, the driver follows', async () => {
    const { server, client } = await setUp(() => ({ n: 1 }))
    const products = client.db().collection('products')
    await products.insertOne({})
    server.stepDown()
    await expect(products.insertOne({})).rejects.toMatchObject({ code: 10_107 })
    server.stepUp()
    await products.insertOne({})
    expect(server.names()).toEqual(['insert', 'insert', 'insert'])
  })

  test('when its handler has a mistake, that is kept and the driver gets an error', async () => {
    const { server, client } = await setUp(() => {
      throw new Error('mistake of the test')
    })
    await expect(client.db().collection('products').findOne({})).rejects.toMatchObject({ code: 8 })
    expect(server.defects).toHaveLength(1)
  })
})
