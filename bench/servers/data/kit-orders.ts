import { ConflictError } from 'holdfast/errors'
import { created, type Principal } from 'holdfast/http'
import { type Queries, sql, type Transactions } from 'holdfast/postgres'
import { type Item, type Line, type NewOrder, type Order, type ProductRow, toLine, totalOf } from './work.ts'

export class OrdersController {
  readonly #orders: OrdersService

  constructor(orders: OrdersService) {
    this.#orders = orders
  }

  async place({ principal, body }: { readonly principal: Principal; readonly body: NewOrder }) {
    const order = await this.#orders.place(principal, body.items)
    return created(`/orders/${order.id}`, order)
  }
}

interface OrdersNeeds {
  readonly orders: OrdersRepository
  readonly products: ProductsRepository
  readonly outbox: Outbox
  readonly transactions: Transactions
}

export class OrdersService {
  readonly #needs: OrdersNeeds

  constructor(needs: OrdersNeeds) {
    this.#needs = needs
  }

  place({ id: accountId }: Principal, items: readonly Item[]): Promise<Order> {
    const { orders, products, outbox, transactions } = this.#needs
    return transactions.transaction(async () => {
      const held = await products.hold(items)
      const lines = items.map((item) => lineOf(item, held.get(item.productId)))
      const totalCents = totalOf(lines)
      await products.take(items)
      const order = await orders.insert(accountId, totalCents)
      await orders.addLines(order.id, accountId, lines)
      await outbox.add('orders.placed', { orderId: order.id, totalCents })
      return { ...order, totalCents, lines }
    })
  }
}

function lineOf({ productId, quantity }: Item, product: ProductRow | undefined): Line {
  if (product !== undefined && product.stock >= quantity) return toLine(product, quantity)
  throw new ConflictError('orders.out_of_stock', `There is too little of product ${productId}.`)
}

export class ProductsRepository {
  readonly #database: Queries

  constructor(database: Queries) {
    this.#database = database
  }

  async hold(items: readonly Item[]): Promise<ReadonlyMap<number, ProductRow>> {
    const rows = await this.#database.many(
      sql`
        select id, sku, name, price_cents, stock from products
        where id = any (${items.map(({ productId }) => productId)}::integer[])
        order by id for no key update`,
      (row: ProductRow) => row,
    )
    return new Map(rows.map((row) => [row.id, row]))
  }

  async take(items: readonly Item[]): Promise<void> {
    await this.#database.execute(sql`
      update products set stock = stock - item.quantity
      from unnest(
        ${items.map(({ productId }) => productId)}::integer[], ${items.map(({ quantity }) => quantity)}::integer[]
      ) as item (id, quantity)
      where products.id = item.id`)
  }
}

export class OrdersRepository {
  readonly #database: Queries

  constructor(database: Queries) {
    this.#database = database
  }

  insert(accountId: string, totalCents: number): Promise<Pick<Order, 'id' | 'status' | 'createdAt'>> {
    return this.#database.one(
      sql`
        insert into orders (account_id, total_cents) values (${accountId}, ${totalCents})
        returning id, status, created_at`,
      (row: { readonly id: number; readonly status: string; readonly created_at: Date }) => ({
        id: row.id,
        status: row.status,
        createdAt: row.created_at.toISOString(),
      }),
    )
  }

  async addLines(orderId: number, accountId: string, lines: readonly Line[]): Promise<void> {
    await this.#database.execute(sql`
      insert into order_lines (order_id, account_id, product_id, price_cents, quantity)
      select ${orderId}::integer, ${accountId}::uuid, item.* from unnest(
        ${lines.map(({ productId }) => productId)}::integer[], ${lines.map(({ priceCents }) => priceCents)}::integer[],
        ${lines.map(({ quantity }) => quantity)}::integer[]
      ) as item`)
  }
}

export class Outbox {
  readonly #database: Queries

  constructor(database: Queries) {
    this.#database = database
  }

  async add(topic: string, payload: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#database.execute(sql`insert into outbox (topic, payload) values (${topic}, ${sql.json(payload)})`)
  }
}
