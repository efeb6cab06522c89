import { ConflictError } from 'holdfast/errors'
import { sql } from 'holdfast/postgres'
import type { Database } from '../../platform/database.ts'
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

export const createCatalogRepository = (database: Database): CatalogRepository => new SqlCatalogRepository(database)

interface ProductRow {
  readonly id: string
  readonly sku: string
  readonly name: string
  readonly price_cents: number
  readonly stock: number
  readonly status: Product['status']
  readonly version: number
  readonly created_at: Date
  readonly updated_at: Date
}

const columns = sql.columns([
  'id',
  'sku',
  'name',
  'price_cents',
  'stock',
  'status',
  'version',
  'created_at',
  'updated_at',
])

const toProduct = (row: ProductRow): Product => ({
  id: row.id,
  sku: row.sku,
  name: row.name,
  priceCents: row.price_cents,
  stock: row.stock,
  status: row.status,
  version: row.version,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})

const constraints = {
  products_sku_key: (cause: unknown) =>
    new ConflictError('catalog.sku_taken', 'Another product has this SKU; choose another one.', { cause }),
  products_stock_not_negative: (cause: unknown) =>
    new ConflictError('catalog.out_of_stock', 'There are fewer pieces than that.', { cause }),
}

class SqlCatalogRepository implements CatalogRepository {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  list({ status, after, limit }: ProductFilter): Promise<Product[]> {
    const hasStatus = status === undefined ? sql`true` : sql`status = ${status}`
    // Ids grow with time, so they order the list, and no product is shown twice or skipped while others come and go.
    const isAfter = after === undefined ? sql`true` : sql`id < ${after}`
    return this.#database.many(
      sql`select ${columns} from products where ${hasStatus} and ${isAfter} order by id desc limit ${limit}`,
      toProduct,
    )
  }

  find(id: string): Promise<Product | undefined> {
    return this.#database.maybeOne(sql`select ${columns} from products where id = ${id}`, toProduct)
  }

  insert({ sku, name, priceCents, stock }: NewProduct): Promise<Product> {
    return this.#database.one(
      sql`
        insert into products (sku, name, price_cents, stock) values (${sku}, ${name}, ${priceCents}, ${stock})
        returning ${columns}`,
      toProduct,
      { constraints },
    )
  }

  update(id: string, { version, ...change }: ProductChange): Promise<Product | undefined> {
    const changes = sql.changes(change, { name: 'name', priceCents: 'price_cents', stock: 'stock' })
    return this.#database.maybeOne(
      sql`
        update products set ${changes}, version = version + 1, updated_at = now()
        where id = ${id} and version = ${version} and status = 'active'
        returning ${columns}`,
      toProduct,
    )
  }

  archive(id: string): Promise<Product | undefined> {
    return this.#database.maybeOne(
      sql`
        update products set status = 'archived', version = version + 1, updated_at = now()
        where id = ${id} and status = 'active'
        returning ${columns}`,
      toProduct,
    )
  }

  hold(ids: readonly string[]): Promise<Product[]> {
    // In one order, whoever asks and in which, so that no two transactions wait for each other.
    return this.#database.many(
      sql`select ${columns} from products where id = any (${ids}::uuid[]) order by id for no key update`,
      toProduct,
    )
  }

  async changeStock(changes: readonly StockChange[]): Promise<void> {
    await this.#database.execute(
      sql`
        update products set stock = stock + change.by, version = version + 1, updated_at = now()
        from ${sql.records(changes, { id: 'uuid', by: 'integer' })} as change
        where products.id = change.id`,
      { constraints },
    )
  }
}
