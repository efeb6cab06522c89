import { app, may } from '../layers/hand-fastify.ts'
import { Item, ItemParams, ItemQuery, NewOrder, Order, port, toItem, toOrder } from './work.ts'

app.get(
  '/items/:id',
  { ...may('reader'), schema: { params: ItemParams, querystring: ItemQuery, response: { 200: Item } } },
  (request) => toItem(request.params.id, request.query.currency),
)
app.post('/orders', { ...may('writer'), schema: { body: NewOrder, response: { 201: Order } } }, (request, reply) => {
  reply.code(201)
  return toOrder(request.body)
})
await app.listen({ port, host: '127.0.0.1' })
