import { created, ok, page, type Principal } from 'holdfast/http'
import { toCursor } from '../../platform/paging.ts'
import type { NewOrder, OrderId, OrderQuery } from './orders.schema.ts'
import type { OrdersService } from './orders.service.ts'

interface AnyCall {
  readonly principal: Principal
}
interface OrderCall extends AnyCall {
  readonly params: OrderId
}

export class OrdersController {
  readonly #orders: OrdersService

  constructor(orders: OrdersService) {
    this.#orders = orders
  }

  async place({ principal, body }: AnyCall & { readonly body: NewOrder }) {
    const order = await this.#orders.place(principal, body.items)
    return created(`/orders/${order.id}`, order)
  }

  async list({ principal, query }: AnyCall & { readonly query: OrderQuery }) {
    const { items, nextAfter } = await this.#orders.list(principal, { limit: query.limit, after: query.cursor })
    return page(items, toCursor(nextAfter))
  }

  async show({ principal, params }: OrderCall) {
    return ok(await this.#orders.find(principal, params.id))
  }

  async cancel({ principal, params }: OrderCall) {
    return ok(await this.#orders.cancel(principal, params.id))
  }

  async ship({ principal, params }: OrderCall) {
    return ok(await this.#orders.ship(principal, params.id))
  }
}
