import { createOutbox } from '../../platform/outbox.ts'
import type { Database } from '../../platform/database.ts'
import type { CatalogService } from '../catalog/catalog.module.ts'
import { OrdersController } from './orders.controller.ts'
import { createOrdersRepository } from './orders.repository.ts'
import { ordersRoutes } from './orders.routes.ts'
import { OrdersService } from './orders.service.ts'

export interface OrdersNeeds {
  readonly database: Database
  readonly catalog: CatalogService
}

export function createOrders({ database, catalog }: OrdersNeeds) {
  const service = new OrdersService({
    orders: createOrdersRepository(database),
    outbox: createOutbox(database),
    catalog,
    transactions: database,
  })
  return { service, routes: ordersRoutes(new OrdersController(service)) }
}
