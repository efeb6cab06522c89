import { currentCaller } from 'holdfast/http'
import { Schema } from 'mongoose'
import { type Database, defineModel } from '../../platform/database.ts'
import { createId } from '../../platform/ids.ts'
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

/** Each query goes through a filter by whose order it is, for one that forgot to ask: MongoDB guards no documents itself. */
export const createOrdersRepository = (database: Database): OrdersRepository => new MongoOrdersRepository(database)

interface OrderDocument {
  readonly _id: string
  readonly accountId: string
  readonly status: Order['status']
  readonly totalCents: number
  readonly lines: readonly OrderLine[]
  readonly createdAt: Date
  readonly updatedAt: Date
}

// As they were when they were ordered: products change, orders do not.
const lineSchema = new Schema<OrderLine>(
  {
    productId: { type: String, required: true },
    sku: { type: String, required: true },
    name: { type: String, required: true },
    priceCents: { type: Number, required: true, min: 0 },
    quantity: { type: Number, required: true, min: 1, max: 100 },
  },
  { _id: false },
)

const orderSchema = new Schema<OrderDocument>({
  _id: { type: String, required: true },
  accountId: { type: String, required: true },
  status: { type: String, required: true, enum: ['placed', 'cancelled', 'shipped'] },
  totalCents: { type: Number, required: true, min: 0 },
  lines: { type: [lineSchema], required: true },
  createdAt: { type: Date, required: true },
  updatedAt: { type: Date, required: true },
})

/** For whoever may see all orders. */
export const openOrders = defineModel<OrderDocument>('orders', orderSchema)

const toSummary = (document: Omit<OrderDocument, 'lines'>): OrderSummary => ({
  id: document._id,
  accountId: document.accountId,
  status: document.status,
  totalCents: document.totalCents,
  createdAt: document.createdAt.toISOString(),
  updatedAt: document.updatedAt.toISOString(),
})

const toOrder = (document: OrderDocument): Order => ({
  ...toSummary(document),
  lines: document.lines.map(({ productId, sku, name, priceCents, quantity }) => ({
    productId,
    sku,
    name,
    priceCents,
    quantity,
  })),
})

class MongoOrdersRepository implements OrdersRepository {
  readonly #database: Database
  readonly #orders: ReturnType<typeof openOrders>

  constructor(database: Database) {
    this.#database = database
    this.#orders = openOrders(database)
  }

  async insert({ accountId, lines, totalCents }: OrderRecord): Promise<Order> {
    if (accountId !== currentCaller()?.id) throw new Error('An order is placed by the account it is for')
    const now = new Date()
    const document: OrderDocument = {
      _id: createId(),
      accountId,
      status: 'placed',
      totalCents,
      lines: [...lines],
      createdAt: now,
      updatedAt: now,
    }
    await this.#database.insert<OrderDocument>(this.#orders, document)
    return toOrder(document)
  }

  find(id: string): Promise<Order | undefined> {
    return this.#database.maybeOne(this.#orders.findOne({ $and: [{ _id: id }, seen()] }), toOrder)
  }

  list({ accountId, after, limit }: OrderFilter): Promise<OrderSummary[]> {
    const isAfter = after === undefined ? {} : { _id: { $lt: after } }
    const found = this.#orders.find({ $and: [{ accountId, ...isAfter }, seen()] }, { lines: 0 })
    return this.#database.many(found.sort({ _id: -1 }).limit(limit), toSummary)
  }

  cancel(id: string, accountId: string): Promise<Order | undefined> {
    return this.#close('cancelled', { _id: id, accountId }, own())
  }

  ship(id: string): Promise<Order | undefined> {
    return this.#close('shipped', { _id: id }, mayShip() ? {} : nothing)
  }

  /** Of several who want the same order closed, the first wins: the others find it placed no more. */
  #close(status: 'cancelled' | 'shipped', isMeant: object, mayBe: object): Promise<Order | undefined> {
    const filter = { $and: [isMeant, mayBe, { status: 'placed' }] }
    const update = { $set: { status, updatedAt: new Date() } }
    return this.#database.maybeOne(this.#orders.findOneAndUpdate(filter, update, { returnDocument: 'after' }), toOrder)
  }
}

const nothing = { _id: { $in: [] as string[] } }

const may = (permission: string): boolean => currentCaller()?.permissions.includes(permission) === true
const mayShip = (): boolean => may('orders:ship')

function own(): object {
  const caller = currentCaller()
  return caller === undefined ? nothing : { accountId: caller.id }
}

const seen = (): object => (may('orders:read') || mayShip() || may('reports:read') ? {} : own())
