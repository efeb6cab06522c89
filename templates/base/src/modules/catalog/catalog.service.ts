import { ConflictError, NotFoundError } from 'holdfast/errors'
import { type Cut, cutPage } from '../../platform/paging.ts'
import type { CatalogRepository, ProductFilter } from './catalog.repository.ts'
import type { NewProduct, Product, ProductChange } from './catalog.schema.ts'

export class CatalogService {
  readonly #products: CatalogRepository

  constructor(products: CatalogRepository) {
    this.#products = products
  }

  async list(filter: ProductFilter): Promise<Cut<Product>> {
    return cutPage(await this.#products.list({ ...filter, limit: filter.limit + 1 }), filter.limit)
  }

  create(product: NewProduct): Promise<Product> {
    return this.#products.insert(product)
  }

  async find(id: string): Promise<Product> {
    const product = await this.#products.find(id)
    if (product === undefined) throw new NotFoundError('catalog.product_not_found', `There is no product ${id}.`)
    return product
  }

  /** Changes what the caller has seen: a change made to an older version would undo somebody else's. */
  async update(id: string, change: ProductChange): Promise<Product> {
    const updated = await this.#products.update(id, change)
    if (updated !== undefined) return updated
    const product = await this.find(id)
    if (product.status === 'archived') {
      throw new ConflictError('catalog.product_archived', `Product ${id} is archived and does not change any more.`)
    }
    throw new ConflictError(
      'catalog.version_conflict',
      `Product ${id} has changed since version ${change.version}; read it again and repeat the change.`,
    )
  }

  /** Archiving what is archived changes nothing, so that a call whose answer got lost can be repeated. */
  async archive(id: string): Promise<Product> {
    return (await this.#products.archive(id)) ?? (await this.find(id))
  }
}
