import { ConflictError, NotFoundError } from 'holdfast/errors'
import { assertCan, ownedBy, permission, type Principal } from 'holdfast/http'
import type { Transactions } from '../../platform/database.ts'
import type { Outbox } from '../../platform/outbox.ts'
import { type Cut, cutPage } from '../../platform/paging.ts'
import type { CatalogService, Item, Lack } from '../catalog/catalog.module.ts'
import type { OrderFilter, OrdersRepository } from './orders.repository.ts'
import type { Order, OrderLine, OrderSummary } from './orders.schema.ts'

/** Whoever may read everybody's orders. */
export const reader = permission('orders:read')
export const shipper = permission('orders:ship')

// Many want the same product at once. Where the database lets them wait for each other, none is run again for that; where
// it gives up on all but one, these are.
const contended = { retries: 10 }

export interface OrdersServiceNeeds {
  readonly orders: OrdersRepository
  readonly outbox: Outbox
  readonly catalog: Pick<CatalogService, 'reserve' | 'restock'>
  readonly transactions: Transactions
}

export class OrdersService {
  readonly #orders: OrdersRepository
  readonly #outbox: Outbox
  readonly #catalog: OrdersServiceNeeds['catalog']
  readonly #transactions: Transactions

  constructor({ orders, outbox, catalog, transactions }: OrdersServiceNeeds) {
    this.#orders = orders
    this.#outbox = outbox
    this.#catalog = catalog
    this.#transactions = transactions
  }

  /** Stock, order and event: all or nothing. */
  place({ id: accountId }: Principal, wanted: readonly Item[]): Promise<Order> {
    return this.#transactions.transaction(async () => {
      const reservation = await this.#catalog.reserve(wanted)
      if ('lacks' in reservation) throw notToBeHad(wanted, reservation.lacks)
      const lines = reservation.items
      const order = await this.#orders.insert({ accountId, lines, totalCents: totalOf(lines) })
      await this.#tell('orders.placed', order)
      return order
    }, contended)
  }

  async list({ id: accountId }: Principal, filter: Omit<OrderFilter, 'accountId'>): Promise<Cut<OrderSummary>> {
    return cutPage(await this.#orders.list({ ...filter, accountId, limit: filter.limit + 1 }), filter.limit)
  }

  /** Somebody else's order looks like none, so that ids cannot be probed. */
  async find(principal: Principal, id: string): Promise<Order> {
    const order = await this.#orders.find(id)
    return ownedBy(principal, order, ownerOf, () => notFound(id), { or: reader })
  }

  /** Cancelling what is cancelled changes nothing, so that a call whose answer got lost can be repeated. */
  cancel(principal: Principal, id: string): Promise<Order> {
    return this.#transactions.transaction(async () => {
      const order = await this.#orders.cancel(id, principal.id)
      if (order === undefined) return await this.#findCancelled(principal, id)
      await this.#catalog.restock(order.lines)
      await this.#tell('orders.cancelled', order)
      return order
    }, contended)
  }

  async #findCancelled(principal: Principal, id: string): Promise<Order> {
    const order = ownedBy(principal, await this.#orders.find(id), ownerOf, () => notFound(id))
    if (order.status === 'cancelled') return order
    throw new ConflictError('orders.already_shipped', `Order ${id} is on its way and can be cancelled no more.`)
  }

  /** Once only, and whoever asks second is told: nobody packs a second parcel. */
  async ship(principal: Principal, id: string): Promise<Order> {
    assertCan(principal, shipper)
    return await this.#transactions.transaction(async () => {
      const order = await this.#orders.ship(id)
      if (order === undefined) throw notToBeShipped(id, await this.#orders.find(id))
      await this.#tell('orders.shipped', order)
      return order
    })
  }

  #tell(topic: string, { id, accountId, totalCents }: Order): Promise<void> {
    return this.#outbox.add({ topic, payload: { orderId: id, accountId, totalCents } })
  }
}

const ownerOf = (order: Order): string => order.accountId

// Safe: 50 lines of 100 pieces stay far below 2^53 at any price that the catalog takes.
const totalOf = (lines: readonly OrderLine[]): number =>
  lines.reduce((total, { priceCents, quantity }) => total + priceCents * quantity, 0)

const notFound = (id: string) => new NotFoundError('orders.not_found', `There is no order ${id}.`)

function notToBeShipped(id: string, order: Order | undefined) {
  if (order === undefined) return notFound(id)
  return order.status === 'shipped'
    ? new ConflictError('orders.already_shipped', `Order ${id} is on its way already.`)
    : new ConflictError('orders.cancelled', `Order ${id} is cancelled and is not to be shipped.`)
}

function notToBeHad(wanted: readonly Item[], lacks: readonly Lack[]): ConflictError {
  const issues = lacks.map((lack) => ({
    path: ['items', wanted.findIndex(({ productId }) => productId === lack.productId)],
    ...wordsFor(lack),
  }))
  // What is not for sale goes before what there is too little of: waiting helps the latter only.
  const first = issues.find(({ code }) => code === 'product_not_for_sale') ?? issues[0]
  return new ConflictError(`orders.${first?.code}`, `Nothing was ordered. ${first?.message}`, { issues })
}

const wordsFor = ({ productId, product }: Lack) =>
  product === undefined
    ? { code: 'product_not_for_sale', message: `Product ${productId} is not for sale.` }
    : { code: 'out_of_stock', message: `Only ${product.stock} pieces of ${product.name} are left.` }
