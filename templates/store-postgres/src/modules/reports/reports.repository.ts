import { sql } from 'holdfast/postgres'
import { z } from 'zod'
import type { Database } from '../../platform/database.ts'
import { Sales, type SalesQuery } from './reports.schema.ts'

export interface ReportsRepository {
  /** The last day first, and on each day what brought most. */
  sales(query: SalesQuery): Promise<Sales[]>
}

export const createReportsRepository = (database: Database): ReportsRepository =>
  new SqlReportsRepository(database.rowSecured)

/** Checks each row: sums and shares are made by a query, and a fault in one is to be an error and no figure. */
const SalesRow = z
  .object({
    day: z.string(),
    rank: z.number(),
    product_id: z.string(),
    sku: z.string(),
    name: z.string(),
    pieces: z.number(),
    revenue: z.number(),
    share: z.number(),
    revenue_so_far: z.number(),
  })
  .transform((row) => ({
    day: row.day,
    rank: row.rank,
    productId: row.product_id,
    sku: row.sku,
    name: row.name,
    pieces: row.pieces,
    revenueCents: row.revenue,
    shareOfDay: row.share,
    revenueSoFarCents: row.revenue_so_far,
  }))
  .pipe(Sales)

class SqlReportsRepository implements ReportsRepository {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  sales({ from, to, top }: SalesQuery): Promise<Sales[]> {
    return this.#database.many(
      sql`
        with sold as (
          select (orders.created_at at time zone 'UTC')::date as day, order_lines.product_id,
            sum(order_lines.quantity) as pieces,
            sum(order_lines.quantity::bigint * order_lines.price_cents) as revenue
          from orders join order_lines on order_lines.order_id = orders.id
          where orders.status <> 'cancelled'
            and orders.created_at >= ${from}::date::timestamp at time zone 'UTC'
            and orders.created_at < (${to}::date + 1)::timestamp at time zone 'UTC'
          group by 1, 2
        ), ranked as (
          select sold.*,
            row_number() over (partition by day order by revenue desc, product_id) as rank,
            coalesce(revenue / nullif(sum(revenue) over (partition by day), 0), 0) as share,
            sum(revenue) over (partition by product_id order by day) as revenue_so_far
          from sold
        )
        select day, rank, product_id, products.sku, products.name, pieces::bigint, revenue::bigint,
          share::double precision, revenue_so_far::bigint
        from ranked join products on products.id = product_id
        where rank <= ${top} order by day desc, rank`,
      SalesRow,
    )
  }
}
