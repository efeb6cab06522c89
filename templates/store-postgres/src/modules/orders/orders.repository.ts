import { sql, type SqlQuery } from 'holdfast/postgres'
import type { Database } from '../../platform/database.ts'
import type { Order, OrderLine, OrderSummary } from './orders.schema.ts'

export interface OrderFilter {
  readonly accountId: string
  /** Only orders that come after this one. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface OrderRecord {
  readonly accountId: string
  readonly lines: readonly OrderLine[]
  readonly totalCents: number
}

export interface OrdersRepository {
  insert(order: OrderRecord): Promise<Order>
  find(id: string): Promise<Order | undefined>
  /** Newest first. */
  list(filter: OrderFilter): Promise<OrderSummary[]>
  /** Gives nothing when this account has no such order that is placed, and neither cancelled nor shipped. */
  cancel(id: string, accountId: string): Promise<Order | undefined>
  /** Gives nothing when there is no such order that is placed, and neither cancelled nor shipped. */
  ship(id: string): Promise<Order | undefined>
}

/** Behind every `where` of this file the database asks for itself whose row it is; see the last migration. */
export const createOrdersRepository = (database: Database): OrdersRepository =>
  new SqlOrdersRepository(database.rowSecured)

interface OrderRow {
  readonly id: string
  readonly account_id: string
  readonly status: Order['status']
  readonly total_cents: number
  readonly created_at: Date
  readonly updated_at: Date
}

const columns = sql.columns(['id', 'account_id', 'status', 'total_cents', 'created_at', 'updated_at'], 'orders')

const toSummary = (row: OrderRow): OrderSummary => ({
  id: row.id,
  accountId: row.account_id,
  status: row.status,
  totalCents: row.total_cents,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})

interface WholeOrderRow extends OrderRow {
  readonly lines: readonly LineRow[]
}

interface LineRow {
  readonly product_id: string
  readonly sku: string
  readonly name: string
  readonly price_cents: number
  readonly quantity: number
}

const ownLines = sql`array(
  select jsonb_build_object(
    'product_id', product_id, 'sku', sku, 'name', name, 'price_cents', price_cents, 'quantity', quantity
  )
  from order_lines where order_lines.order_id = orders.id order by position
) as lines`

const toOrder = (row: WholeOrderRow): Order => ({ ...toSummary(row), lines: row.lines.map(toLine) })

const toLine = (row: LineRow): OrderLine => ({
  productId: row.product_id,
  sku: row.sku,
  name: row.name,
  priceCents: row.price_cents,
  quantity: row.quantity,
})

const lineColumns = {
  position: 'integer',
  product_id: 'uuid',
  sku: 'text',
  name: 'text',
  price_cents: 'integer',
  quantity: 'integer',
} as const

const toLineRow = ({ productId, sku, name, priceCents, quantity }: OrderLine, at: number) => ({
  position: at + 1,
  product_id: productId,
  sku,
  name,
  price_cents: priceCents,
  quantity,
})

class SqlOrdersRepository implements OrdersRepository {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  insert({ accountId, lines, totalCents }: OrderRecord): Promise<Order> {
    return this.#database.one(
      sql`
        with placed as (
          insert into orders (account_id, total_cents) values (${accountId}, ${totalCents}) returning ${columns}
        ), listed as (
          insert into order_lines (order_id, account_id, position, product_id, sku, name, price_cents, quantity)
          select placed.id, placed.account_id, line.* from placed, ${sql.records(lines.map(toLineRow), lineColumns)} as line
        )
        select * from placed`,
      (row: OrderRow) => ({ ...toSummary(row), lines: [...lines] }),
    )
  }

  find(id: string): Promise<Order | undefined> {
    return this.#database.maybeOne(sql`select ${columns}, ${ownLines} from orders where id = ${id}`, toOrder)
  }

  list({ accountId, after, limit }: OrderFilter): Promise<OrderSummary[]> {
    const isAfter = after === undefined ? sql`true` : sql`id < ${after}`
    return this.#database.many(
      sql`
        select ${columns} from orders where account_id = ${accountId} and ${isAfter}
        order by id desc limit ${limit}`,
      toSummary,
    )
  }

  cancel(id: string, accountId: string): Promise<Order | undefined> {
    return this.#close('cancelled', sql`id = ${id} and account_id = ${accountId}`)
  }

  ship(id: string): Promise<Order | undefined> {
    return this.#close('shipped', sql`id = ${id}`)
  }

  /** Of several who want the same order closed, the first wins: the others find it placed no more. */
  #close(status: 'cancelled' | 'shipped', isMeant: SqlQuery): Promise<Order | undefined> {
    return this.#database.maybeOne(
      sql`
        update orders set status = ${status}, updated_at = now() where ${isMeant} and status = 'placed'
        returning ${columns}, ${ownLines}`,
      toOrder,
    )
  }
}
