import { createHttp, created, get, ok, post, roles } from 'holdfast/http'
import { commonRoutes, layers } from '../layers/kit.ts'
import { Item, ItemParams, ItemQuery, NewOrder, Order, toItem, toOrder } from './work.ts'

export const http = createHttp(
  [
    ...commonRoutes,
    get('/items/:id', { access: roles('reader'), params: ItemParams, query: ItemQuery, reply: { 200: Item } }, (call) =>
      ok(toItem(call.params.id, call.query.currency)),
    ),
    post('/orders', { access: roles('writer'), body: NewOrder, reply: { 201: Order } }, (call) =>
      created('/orders/7', toOrder(call.body)),
    ),
  ],
  layers,
)
