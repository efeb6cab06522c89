import { z } from 'zod'
import { keyset } from '../../src/adapters/postgres/keyset.ts'
import type { OrderAsked } from '../../src/adapters/postgres/sql-order.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { permission } from '../../src/core/auth/access.ts'
import { empty, noContent, ok, page, pageOf, type Page } from '../../src/core/http/reply.ts'
import { get, patch, post, type Route } from '../../src/core/http/route.ts'
import type { Transactions } from '../../src/core/transactions/transactions.ts'
import { ConflictError, NotFoundError } from '../../src/foundation/errors.ts'
import { type Database, serviceRole } from './repositories.ts'

// The part of the service under attack where there is money: products, what is left of them, what they cost.

/** What is for sale. */
export const rope = '0c0c0c0c-0000-4000-8000-000000000001'
export const ropesInStock = 3

export const shopTables = `
create table products (
  id uuid primary key,
  name text not null constraint products_name check (length(name) between 1 and 80),
  condition text not null constraint products_condition check (condition in ('new', 'used')),
  price_cents integer not null constraint products_price check (price_cents >= 0),
  stock integer not null constraint products_stock check (stock >= 0)
);
create table orders (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references accounts,
  product_id uuid not null references products,
  quantity integer not null constraint orders_quantity check (quantity between 1 and 100)
);
grant select, insert, update on products, orders to ${serviceRole};
insert into products values
  ('${rope}', 'Rope', 'new', 4999, ${ropesInStock}),
  ('0c0c0c0c-0000-4000-8000-000000000002', 'Anchor', 'used', 9999, 1);`

export interface Product {
  readonly id: string
  readonly name: string
  readonly condition: string
  readonly priceCents: number
  readonly stock: number
}

export interface Item {
  readonly productId: string
  readonly quantity: number
}

export interface ShopRepository {
  find(id: string): Promise<Product | undefined>
  list(asked: OrderAsked): Promise<Product[]>
  page(cursor: string | undefined): Promise<Page<Product>>
  change(id: string, change: { readonly name?: string | undefined }): Promise<void>
  /** @returns whether there was as much as that */
  take(item: Item): Promise<boolean>
  insertOrders(accountId: string, items: readonly Item[]): Promise<void>
  /** Looks at every order there is. */
  report(): Promise<number>
}

export interface ProductRow {
  readonly id: string
  readonly name: string
  readonly condition: string
  readonly price_cents: number
  readonly stock: number
}

export const productColumns = sql.columns(['id', 'name', 'condition', 'price_cents', 'stock'])
export const toProduct = ({ price_cents: priceCents, ...row }: ProductRow): Product => ({ ...row, priceCents })

const conditions = ['new', 'used'] as const
const CheckedRow = z
  .object({
    id: z.uuid(),
    name: z.string().min(1),
    condition: z.enum(conditions),
    price_cents: z.int().min(0),
    stock: z.int().min(0),
  })
  .transform(toProduct)

const sortable = { name: sql`name`, condition: sql`condition` }
const byName = keyset({
  list: 'products',
  by: [
    { column: 'name', type: 'text' },
    { column: 'id', type: 'uuid' },
  ],
})

export const createShop = (database: Database): ShopRepository => ({
  find: (id) => database.maybeOne(sql`select ${productColumns} from products where id = ${id}`, CheckedRow),
  list: (asked) =>
    database.many(
      sql`select ${productColumns} from products order by ${sql.order(asked, sortable)}, id limit 100`,
      CheckedRow,
    ),
  page: (cursor) =>
    byName.page(
      database,
      { cursor, limit: 1 },
      ({ key, isAfter, order, count }) =>
        sql`select ${productColumns}, ${key} from products where ${isAfter} order by ${order} limit ${count}`,
      CheckedRow,
    ),
  async change(id, change) {
    await database.execute(sql`update products set ${sql.changes(change, { name: 'name' })} where id = ${id}`)
  },
  async take({ productId, quantity }) {
    const isEnough = sql`id = ${productId} and stock >= ${quantity}`
    return (await database.execute(sql`update products set stock = stock - ${quantity} where ${isEnough}`)) === 1
  },
  async insertOrders(accountId, items) {
    const rows = items.map(({ productId, quantity }) => ({ product_id: productId, quantity }))
    await database.execute(
      sql`insert into orders (account_id, product_id, quantity)
          select ${accountId}, product_id, quantity
          from ${sql.records(rows, { product_id: 'uuid', quantity: 'integer' })} as item`,
    )
  },
  report: () =>
    database.one(sql`select count(*)::int as count from orders`, ({ count }: { readonly count: number }) => count),
})

const Product = z.object({
  id: z.uuid(),
  name: z.string().min(1),
  condition: z.enum(conditions),
  priceCents: z.int().min(0),
  stock: z.int().min(0),
})
const Id = z.object({ id: z.uuid() })
const Items = z.array(z.object({ productId: z.uuid(), quantity: z.int().min(1).max(100) })).min(1)
const Sorting = z.object({ by: z.enum(['name', 'condition']), direction: z.enum(['asc', 'desc']).default('asc') })
const PageQuery = z.object({ cursor: z.string().max(2048).optional() })

const seller = permission('notes:write')

export const shopRoutes = (parts: ShopNeeds): readonly Route[] => [
  get('/products', { access: 'public', query: Sorting, reply: { 200: z.array(Product) } }, async ({ query }) =>
    ok((await parts.shop.list(query)) as z.input<typeof Product>[]),
  ),
  get('/catalog', { access: 'public', query: PageQuery, reply: { 200: pageOf(Product) } }, async ({ query }) => {
    const { items, nextCursor } = await parts.shop.page(query.cursor)
    return page(items as z.input<typeof Product>[], nextCursor)
  }),
  get('/products/:id', { access: 'public', params: Id, reply: { 200: Product } }, async ({ params }) => {
    const product = await parts.shop.find(params.id)
    if (product === undefined) throw new NotFoundError('shop.not_found', 'There is no such product.')
    return ok(product as z.input<typeof Product>)
  }),
  patch(
    '/products/:id',
    { access: seller, params: Id, body: z.object({ name: z.string().min(1).max(80) }), reply: { 204: empty } },
    async ({ params, body }) => {
      await parts.shop.change(params.id, body)
      return noContent()
    },
  ),
  post('/orders', { access: seller, body: Items, reply: { 204: empty } }, async ({ principal, body }) => {
    await placeOrders(parts, principal.id, body)
    return noContent()
  }),
  get(
    '/report',
    { access: permission('notes:read'), limit: 'report', isolation: 'reporting', reply: { 200: z.int() } },
    async () => ok(await parts.shop.report()),
  ),
]

interface ShopNeeds {
  readonly shop: ShopRepository
  readonly transactions: Transactions
}

const placeOrders = ({ shop, transactions }: ShopNeeds, accountId: string, items: readonly Item[]): Promise<void> =>
  transactions.transaction(async () => {
    for (const item of items) {
      if (!(await shop.take(item))) throw new ConflictError('shop.out_of_stock', 'There is less than that.')
    }
    await shop.insertOrders(accountId, items)
  })
