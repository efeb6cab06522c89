import type { Model } from 'mongoose'
import { mapMaybeOne, mapOne, mapRows } from '../../foundation/row-mapper.ts'
import type { RowMapper } from '../../foundation/row-mapper.ts'
import { withCallOptions } from './call-options.ts'
import type { MongoCallOptions } from './call-options.ts'
import { translateMongoError } from './errors.ts'

/**
 * A query of a model that nobody has awaited yet: `orders.find({ customerId }).sort({ _id: -1 })`,
 * `products.findOneAndUpdate({ _id, stock: { $gte: 2 } }, { $inc: { stock: -2 } })`, `orders.aggregate([…])`.
 */
export interface MongoQuery {
  exec(): Promise<unknown>
}

/**
 * What repositories ask of MongoDB, in a transaction or outside of one. Documents come as plain objects, never as
 * documents of Mongoose, and leave as the items that a mapper makes of them.
 *
 * Every call may reject with
 * - `AppError` kind `conflict`: a unique index; a document that somebody else saved meanwhile; see {@link MongoCallOptions}
 * - `AppError` kind `timeout`: the operation ran into its timeout
 * - `AppError` kind `unavailable`: no connection, a lost one, no primary, a write that was in the way of another one
 * - the reason of the signal that ended it
 * - the error of the driver or of Mongoose, for anything else: a defect, such as a value that does not fit its model
 */
export interface MongoQueries {
  /** All documents, each made into an item. */
  many<Item, Document>(
    query: MongoQuery,
    toItem: RowMapper<Item, Document>,
    options?: MongoCallOptions,
  ): Promise<Item[]>
  /**
   * The one document there has to be. For what may be missing use {@link maybeOne} and throw a NotFoundError that says
   * what is missing.
   *
   * @throws {Error} when there are none or more than one: a defect of the query
   */
  one<Item, Document>(query: MongoQuery, toItem: RowMapper<Item, Document>, options?: MongoCallOptions): Promise<Item>
  /**
   * The document there may be, for `findOne`, `findOneAndUpdate` and their like too.
   *
   * @throws {Error} when there is more than one: a defect of the query
   */
  maybeOne<Item, Document>(
    query: MongoQuery,
    toItem: RowMapper<Item, Document>,
    options?: MongoCallOptions,
  ): Promise<Item | undefined>
  /** Runs an update or a deletion, and tells how many documents it took hold of: matched, inserted or deleted. */
  execute(query: MongoQuery, options?: MongoCallOptions): Promise<number>
  /** Checks documents by their model and inserts them, all in one operation. Tells how many. */
  insert<Document>(
    model: Model<Document>,
    documents: Partial<Document> | readonly Partial<Document>[],
    options?: MongoCallOptions,
  ): Promise<number>
  /** Runs whatever is asked of models in `work` with these options: `save`, `bulkWrite`, `countDocuments`. */
  run<Result>(work: () => Promise<Result>, options?: MongoCallOptions): Promise<Result>
}

export class QueryRunner implements MongoQueries {
  async many<Item, Document>(
    query: MongoQuery,
    toItem: RowMapper<Item, Document>,
    options: MongoCallOptions = {},
  ): Promise<Item[]> {
    return await mapRows(await this.#read(query, options), toItem, 'document')
  }

  async one<Item, Document>(
    query: MongoQuery,
    toItem: RowMapper<Item, Document>,
    options: MongoCallOptions = {},
  ): Promise<Item> {
    return await mapOne(await this.#read(query, options), toItem, 'document')
  }

  async maybeOne<Item, Document>(
    query: MongoQuery,
    toItem: RowMapper<Item, Document>,
    options: MongoCallOptions = {},
  ): Promise<Item | undefined> {
    return await mapMaybeOne(await this.#read(query, options), toItem, 'document')
  }

  async execute(query: MongoQuery, options: MongoCallOptions = {}): Promise<number> {
    const result = await this.run(() => query.exec(), options)
    const { deletedCount, matchedCount, upsertedCount = 0 } = Object(result) as WriteResult
    const count = deletedCount ?? matchedCount
    if (count === undefined) throw new TypeError('execute takes an update or a deletion; read by many, one or maybeOne')
    return count + upsertedCount
  }

  async insert<Document>(
    model: Model<Document>,
    documents: Partial<Document> | readonly Partial<Document>[],
    options: MongoCallOptions = {},
  ): Promise<number> {
    const list = (Array.isArray(documents) ? documents : [documents]) as Document[]
    const inserted = await this.run(() => model.insertMany(list, { ordered: true }), options)
    return inserted.length
  }

  // Mongoose throws errors of its own too, before anything is asked of the driver.
  async run<Result>(work: () => Promise<Result>, options: MongoCallOptions = {}): Promise<Result> {
    try {
      return await withCallOptions(options, async () => await work())
    } catch (thrown) {
      throw translateMongoError(thrown, options.constraints)
    }
  }

  async #read(query: MongoQuery, options: MongoCallOptions): Promise<unknown[]> {
    const found = await this.run(() => plain(query).exec(), options)
    if (Array.isArray(found)) return found
    return found === null || found === undefined ? [] : [found]
  }
}

interface WriteResult {
  readonly deletedCount?: number
  readonly matchedCount?: number
  readonly upsertedCount?: number
}

/** Documents without Mongoose's methods. Aggregations give nothing else. */
function plain(query: MongoQuery): MongoQuery {
  const { lean } = query as { readonly lean?: () => MongoQuery }
  return lean === undefined ? query : lean.call(query)
}
