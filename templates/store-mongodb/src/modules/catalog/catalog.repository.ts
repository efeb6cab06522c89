import { ConflictError } from 'holdfast/errors'
import { Schema } from 'mongoose'
import { type Database, defineModel } from '../../platform/database.ts'
import { createId } from '../../platform/ids.ts'
import type { NewProduct, Product, ProductChange } from './catalog.schema.ts'

export interface ProductFilter {
  readonly status?: Product['status'] | undefined
  /** Only products that come after this one. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface StockChange {
  readonly id: string
  /** Pieces; below zero when they leave. */
  readonly by: number
}

export interface CatalogRepository {
  /** Newest first. */
  list(filter: ProductFilter): Promise<Product[]>
  find(id: string): Promise<Product | undefined>
  /** @throws {ConflictError} when the SKU is taken */
  insert(product: NewProduct): Promise<Product>
  /** Gives nothing when no active product has this id and this version. */
  update(id: string, change: ProductChange): Promise<Product | undefined>
  /** Gives nothing when no active product has this id. */
  archive(id: string): Promise<Product | undefined>
  /** Those there are, as they stay until the transaction ends: whoever else holds or changes one waits. */
  hold(ids: readonly string[]): Promise<Product[]>
  /** @throws {ConflictError} when a product would have less than nothing */
  changeStock(changes: readonly StockChange[]): Promise<void>
}

export const createCatalogRepository = (database: Database): CatalogRepository => new MongoCatalogRepository(database)

interface ProductDocument {
  readonly _id: string
  readonly sku: string
  readonly name: string
  readonly priceCents: number
  readonly stock: number
  readonly status: Product['status']
  readonly version: number
  /** Counts transactions that held it: holding is writing, so that two of them are in each other's way. */
  readonly holds: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

const productSchema = new Schema<ProductDocument>({
  _id: { type: String, required: true },
  sku: { type: String, required: true, minLength: 1, maxLength: 40 },
  // As the shapes of calls count, and maxLength of Mongoose does not: 😀 is one character.
  name: { type: String, required: true, match: /^.{1,200}$/su },
  priceCents: { type: Number, required: true, min: 0 },
  stock: { type: Number, required: true, min: 0 },
  status: { type: String, required: true, enum: ['active', 'archived'] },
  version: { type: Number, required: true, min: 1 },
  holds: { type: Number, required: true },
  createdAt: { type: Date, required: true },
  updatedAt: { type: Date, required: true },
})

const openProducts = defineModel<ProductDocument>('products', productSchema)

const toProduct = (document: ProductDocument): Product => ({
  id: document._id,
  sku: document.sku,
  name: document.name,
  priceCents: document.priceCents,
  stock: document.stock,
  status: document.status,
  version: document.version,
  createdAt: document.createdAt.toISOString(),
  updatedAt: document.updatedAt.toISOString(),
})

const constraints = {
  products_sku_key: (cause: unknown) =>
    new ConflictError('catalog.sku_taken', 'Another product has this SKU; choose another one.', { cause }),
}

class MongoCatalogRepository implements CatalogRepository {
  readonly #database: Database
  readonly #products: ReturnType<typeof openProducts>

  constructor(database: Database) {
    this.#database = database
    this.#products = openProducts(database)
  }

  list({ status, after, limit }: ProductFilter): Promise<Product[]> {
    const filter = {
      ...(status !== undefined && { status }),
      // Ids grow with time, so they order the list, and no product is shown twice or skipped while others come and go.
      ...(after !== undefined && { _id: { $lt: after } }),
    }
    return this.#database.many(this.#products.find(filter).sort({ _id: -1 }).limit(limit), toProduct)
  }

  find(id: string): Promise<Product | undefined> {
    return this.#database.maybeOne(this.#products.findOne({ _id: id }), toProduct)
  }

  async insert(product: NewProduct): Promise<Product> {
    const now = new Date()
    const document: ProductDocument = {
      _id: createId(),
      ...product,
      status: 'active',
      version: 1,
      holds: 0,
      createdAt: now,
      updatedAt: now,
    }
    await this.#database.insert<ProductDocument>(this.#products, document, { constraints })
    return toProduct(document)
  }

  update(id: string, { version, ...change }: ProductChange): Promise<Product | undefined> {
    return this.#change({ _id: id, version, status: 'active' }, change)
  }

  archive(id: string): Promise<Product | undefined> {
    return this.#change({ _id: id, status: 'active' }, { status: 'archived' })
  }

  #change(filter: object, fields: object): Promise<Product | undefined> {
    const update = { $set: { ...fields, updatedAt: new Date() }, $inc: { version: 1 } }
    const changed = this.#products.findOneAndUpdate(filter, update, { returnDocument: 'after', runValidators: true })
    return this.#database.maybeOne(changed, toProduct)
  }

  async hold(ids: readonly string[]): Promise<Product[]> {
    const filter = { _id: { $in: [...ids] } }
    // Reading would not do: what a transaction has only read, another one may change.
    await this.#database.execute(this.#products.updateMany(filter, { $inc: { holds: 1 } }))
    return this.#database.many(this.#products.find(filter), toProduct)
  }

  async changeStock(changes: readonly StockChange[]): Promise<void> {
    const updatedAt = new Date()
    const writes = changes.map(({ id, by }) => ({
      updateOne: {
        filter: { _id: id, stock: { $gte: -by } },
        update: { $inc: { stock: by, version: 1 }, $set: { updatedAt } },
      },
    }))
    const { matchedCount } = await this.#database.run(() => this.#products.bulkWrite(writes))
    if (matchedCount < changes.length) {
      throw new ConflictError('catalog.out_of_stock', 'There are fewer pieces than that.')
    }
  }
}
