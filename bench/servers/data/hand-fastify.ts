import { app, callerOf, may } from '../layers/hand-fastify.ts'
import { port } from '../work.ts'
import { shop } from './hand-pool.ts'
import { Entry, NewEntry, NewOrder, Order, Wallet, WalletId } from './work.ts'

app.get('/wallets/:id', { ...may('reader'), schema: { params: WalletId, response: { 200: Wallet } } }, (request) =>
  shop.wallet(callerOf(request), request.params.id),
)
app.post(
  '/wallets/:id/entries',
  { ...may('writer'), schema: { params: WalletId, body: NewEntry, response: { 201: Entry } } },
  async (request, reply) => {
    const entry = await shop.deposit(callerOf(request), request.params.id, request.body)
    return reply.code(201).send(entry)
  },
)
app.post(
  '/orders',
  { ...may('writer'), schema: { body: NewOrder, response: { 201: Order } } },
  async (request, reply) => {
    const order = await shop.order(callerOf(request), request.body.items)
    return reply.code(201).send(order)
  },
)
await app.listen({ port, host: '127.0.0.1' })
