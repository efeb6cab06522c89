import { created, ok, page } from 'holdfast/http'
import { toCursor } from '../../platform/paging.ts'
import type { NewProduct, ProductChange, ProductId, ProductQuery } from './catalog.schema.ts'
import type { CatalogService } from './catalog.service.ts'

export class CatalogController {
  readonly #catalog: CatalogService

  constructor(catalog: CatalogService) {
    this.#catalog = catalog
  }

  async list({ query }: { readonly query: ProductQuery }) {
    const { items, nextAfter } = await this.#catalog.list({ ...query, after: query.cursor })
    return page(items, toCursor(nextAfter))
  }

  async create({ body }: { readonly body: NewProduct }) {
    const product = await this.#catalog.create(body)
    return created(`/products/${product.id}`, product)
  }

  async show({ params }: { readonly params: ProductId }) {
    return ok(await this.#catalog.find(params.id))
  }

  async update({ params, body }: { readonly params: ProductId; readonly body: ProductChange }) {
    return ok(await this.#catalog.update(params.id, body))
  }

  async archive({ params }: { readonly params: ProductId }) {
    return ok(await this.#catalog.archive(params.id))
  }
}
