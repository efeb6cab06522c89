// Holdfast as shipped: its layers, and a database with its defaults. BENCH_ROLE has it work as that role, and its wallets
// and orders are read and written where row-level security knows who asks.
import { createHttp, get, post, roles } from 'holdfast/http'
import { assertRowSecurity, createDatabase } from 'holdfast/postgres'
import { commonRoutes, layers } from '../layers/kit.ts'
import { OrdersController, OrdersRepository, OrdersService, Outbox, ProductsRepository } from './kit-orders.ts'
import { WalletsController, WalletsRepository, WalletsService } from './kit-wallets.ts'
import { database as url, Entry, idleTimeoutMs, NewEntry, NewOrder, Order, poolSize, Wallet, WalletId } from './work.ts'

const role = process.env['BENCH_ROLE']
const database = createDatabase({
  url,
  maxConnections: poolSize,
  idleTimeoutMs,
  logger: layers.logger,
  ...(role !== undefined && { role }),
})
if (role !== undefined) await assertRowSecurity(database, ['wallets', 'entries', 'orders', 'order_lines'])

const owned = role === undefined ? database : database.rowSecured
const wallets = new WalletsController(new WalletsService(new WalletsRepository(owned), database))
const orders = new OrdersController(
  new OrdersService({
    orders: new OrdersRepository(owned),
    products: new ProductsRepository(database),
    outbox: new Outbox(database),
    transactions: database,
  }),
)

export const http = createHttp(
  [
    ...commonRoutes,
    get('/wallets/:id', { access: roles('reader'), params: WalletId, reply: { 200: Wallet } }, (call) =>
      wallets.show(call),
    ),
    post(
      '/wallets/:id/entries',
      { access: roles('writer'), params: WalletId, body: NewEntry, reply: { 201: Entry } },
      (call) => wallets.deposit(call),
    ),
    post('/orders', { access: roles('writer'), body: NewOrder, reply: { 201: Order } }, (call) => orders.place(call)),
  ],
  { ...layers, isolations: database.workloads },
)
