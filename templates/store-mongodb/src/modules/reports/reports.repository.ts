import type { Database } from '../../platform/database.ts'
import { openOrders } from '../orders/orders.repository.ts'
import { Sales, type SalesQuery } from './reports.schema.ts'

export interface ReportsRepository {
  /** The last day first, and on each day what brought most. */
  sales(query: SalesQuery): Promise<Sales[]>
}

export const createReportsRepository = (database: Database): ReportsRepository => new MongoReportsRepository(database)

const dayMs = 86_400_000

class MongoReportsRepository implements ReportsRepository {
  readonly #database: Database
  readonly #orders: ReturnType<typeof openOrders>

  constructor(database: Database) {
    this.#database = database
    this.#orders = openOrders(database)
  }

  sales({ from, to, top }: SalesQuery): Promise<Sales[]> {
    const rows = this.#orders.aggregate([
      {
        $match: {
          status: { $ne: 'cancelled' },
          createdAt: { $gte: new Date(from), $lt: new Date(Date.parse(to) + dayMs) },
        },
      },
      { $unwind: '$lines' },
      {
        $group: {
          _id: {
            day: { $dateToString: { date: '$createdAt', format: '%Y-%m-%d' } },
            productId: '$lines.productId',
          },
          pieces: { $sum: '$lines.quantity' },
          revenueCents: { $sum: { $multiply: ['$lines.quantity', '$lines.priceCents'] } },
        },
      },
      { $project: { _id: 0, day: '$_id.day', productId: '$_id.productId', pieces: 1, revenueCents: 1 } },
      {
        $setWindowFields: {
          partitionBy: '$day',
          sortBy: { revenueCents: -1, productId: 1 },
          output: {
            rank: { $documentNumber: {} },
            revenueOfDay: { $sum: '$revenueCents', window: { documents: ['unbounded', 'unbounded'] } },
          },
        },
      },
      {
        $setWindowFields: {
          partitionBy: '$productId',
          sortBy: { day: 1 },
          output: {
            revenueSoFarCents: { $sum: '$revenueCents', window: { documents: ['unbounded', 'current'] } },
          },
        },
      },
      { $match: { rank: { $lte: top } } },
      { $lookup: { from: 'products', localField: 'productId', foreignField: '_id', as: 'product' } },
      { $unwind: '$product' },
      {
        $project: {
          day: 1,
          rank: 1,
          productId: 1,
          sku: '$product.sku',
          name: '$product.name',
          pieces: 1,
          revenueCents: 1,
          shareOfDay: { $cond: [{ $eq: ['$revenueOfDay', 0] }, 0, { $divide: ['$revenueCents', '$revenueOfDay'] }] },
          revenueSoFarCents: 1,
        },
      },
      { $sort: { day: -1, rank: 1 } },
    ])
    // Checked one by one: sums and shares are made by a query, and a fault in one is to be an error and no figure.
    return this.#database.many(rows, Sales)
  }
}
