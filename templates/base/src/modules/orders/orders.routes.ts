import { anyOf, get, pageOf, post } from 'holdfast/http'
import { person } from '../../platform/rights.ts'
import type { OrdersController } from './orders.controller.ts'
import { NewOrder, Order, OrderId, OrderQuery, OrderSummary } from './orders.schema.ts'
import { reader, shipper } from './orders.service.ts'

// People buy for themselves. The key of a machine does not: buying is in no scope.
export const ordersRoutes = (orders: OrdersController) => [
  post('/orders', { access: person, body: NewOrder, reply: { 201: Order } }, (call) => orders.place(call)),
  get('/orders', { access: person, query: OrderQuery, reply: { 200: pageOf(OrderSummary) } }, (call) =>
    orders.list(call),
  ),
  get('/orders/:id', { access: anyOf(person, reader), params: OrderId, reply: { 200: Order } }, (call) =>
    orders.show(call),
  ),
  post('/orders/:id/cancel', { access: person, params: OrderId, reply: { 200: Order } }, (call) => orders.cancel(call)),
  post('/orders/:id/ship', { access: shipper, params: OrderId, reply: { 200: Order } }, (call) => orders.ship(call)),
]
