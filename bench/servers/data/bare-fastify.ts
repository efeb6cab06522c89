// Fastify as its documentation starts: the work, no layer at all, nothing validated, everybody is one account.
import Fastify from 'fastify'
import { ping, port } from '../work.ts'
import { refusal } from '../layers/settings.ts'
import { openShop } from './by-hand.ts'
import type { NewEntry, NewOrder } from './work.ts'

const shop = openShop()
const account = process.env['BENCH_ACCOUNT'] as string

const app = Fastify()
app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
  const status = error.statusCode ?? 500
  return reply.code(status).send(refusal(status, error.name, error.message))
})
app.get('/ping', () => ping)
app.get<{ Params: { id: string } }>('/wallets/:id', (request) => shop.wallet(account, Number(request.params.id)))
app.post<{ Params: { id: string }; Body: NewEntry }>('/wallets/:id/entries', async (request, reply) => {
  const entry = await shop.deposit(account, Number(request.params.id), request.body)
  return reply.code(201).send(entry)
})
app.post<{ Body: NewOrder }>('/orders', async (request, reply) =>
  reply.code(201).send(await shop.order(account, request.body.items)),
)
await app.listen({ port, host: '127.0.0.1' })
