import { Schema } from 'mongoose'
import { createMongo, type MongoDatabase, type MongoOptions } from '../../src/entry/mongo.ts'
import { firstBatch, startWireServer, type WireHandler, type WireServer } from './wire-server.ts'

const productSchema = new Schema({
  _id: { type: String, required: true },
  sku: { type: String, required: true },
  stock: { type: Number, required: true, default: 0 },
  lines: [{ text: String }],
  box: new Schema({ cm: Number }),
})
productSchema.index({ sku: 1 }, { unique: true, name: 'products_sku' })

/** Says yes to everything: writes took hold of one document, reads find one. */
export const agreeable: WireHandler = (command) => {
  switch (command.name) {
    case 'find':
    case 'aggregate':
      return firstBatch(command, [{ _id: 'p1', sku: 'a', stock: 3, n: 1, __v: 0 }])
    case 'distinct':
      return { values: ['a'] }
    case 'findAndModify':
      return { value: { _id: 'p1', sku: 'a', stock: 2, __v: 0 }, lastErrorObject: { n: 1, updatedExisting: true } }
    default:
      return { n: 1, nModified: 1 }
  }
}

/** Answers `agreeable`, but lets `odd` go first. */
export function except(odd: WireHandler): WireHandler {
  return async (command, server) => (await odd(command, server)) ?? agreeable(command, server)
}

export interface Shop {
  readonly server: WireServer
  readonly mongo: MongoDatabase
  readonly products: ReturnType<typeof productModel>
}

export function productModel(mongo: MongoDatabase) {
  return mongo.model('Product', productSchema)
}

const ends: (() => Promise<void>)[] = []

/** Ends what a test has started, the last first. */
export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).toReversed()) await end()
}

export function endLater(end: () => Promise<void>): void {
  ends.push(end)
}

export async function openShop(handler: WireHandler = agreeable, options: Partial<MongoOptions> = {}): Promise<Shop> {
  const server = await startWireServer(handler)
  endLater(() => server.close())
  const mongo = createMongo({ url: server.url, serverSelectionTimeoutMs: 1500, ...options })
  endLater(() => mongo.close())
  return { server, mongo, products: productModel(mongo) }
}
