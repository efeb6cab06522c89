import { ConflictError, NotFoundError } from 'holdfast/errors'
import { type Cut, cutPage } from '../../platform/paging.ts'
import type { CatalogRepository, ProductFilter } from './catalog.repository.ts'
import type { NewProduct, Product, ProductChange } from './catalog.schema.ts'

export interface Item {
  readonly productId: string
  readonly quantity: number
}

export interface ReservedItem extends Item, Pick<Product, 'sku' | 'name' | 'priceCents'> {}

export interface Lack {
  readonly productId: string
  /** How much there is; nothing is said of what is not for sale. */
  readonly product: Pick<Product, 'name' | 'stock'> | undefined
}

export type Reservation = { readonly items: readonly ReservedItem[] } | { readonly lacks: readonly Lack[] }

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

  /**
   * Takes items out of stock at the prices of this moment: all of them or, when some are lacking, none. Belongs in the
   * transaction of what they are for; until that ends, others who want these products wait.
   */
  async reserve(wanted: readonly Item[]): Promise<Reservation> {
    const held = await this.#hold(wanted)
    const items: ReservedItem[] = []
    const lacks: Lack[] = []
    for (const { productId, quantity } of wanted) {
      const product = held.get(productId)
      if (product?.status !== 'active') lacks.push({ productId, product: undefined })
      else if (product.stock < quantity) lacks.push({ productId, product })
      else items.push({ productId, quantity, sku: product.sku, name: product.name, priceCents: product.priceCents })
    }
    if (lacks.length > 0) return { lacks }
    await this.#products.changeStock(wanted.map(({ productId, quantity }) => ({ id: productId, by: -quantity })))
    return { items }
  }

  /** Gives back what {@link reserve} took, also of what is no longer for sale. Belongs in a transaction as well. */
  async restock(items: readonly Item[]): Promise<void> {
    await this.#hold(items)
    await this.#products.changeStock(items.map(({ productId, quantity }) => ({ id: productId, by: quantity })))
  }

  async #hold(items: readonly Item[]): Promise<ReadonlyMap<string, Product>> {
    const products = await this.#products.hold(items.map(({ productId }) => productId))
    return new Map(products.map((product) => [product.id, product]))
  }
}
