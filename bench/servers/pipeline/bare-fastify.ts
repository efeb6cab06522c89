// Fastify as its documentation starts: the work, no layer at all, nothing validated. It refuses without looking.
import Fastify from 'fastify'
import { refusal } from '../layers/settings.ts'
import { type NewOrder, ping, port, toItem, toOrder } from './work.ts'

const app = Fastify()
app.get('/ping', () => ping)
app.get<{ Params: { id: string }; Querystring: { currency?: 'EUR' | 'USD' } }>('/items/:id', (request) =>
  toItem(Number(request.params.id), request.query.currency ?? 'EUR'),
)
app.post<{ Body: NewOrder }>('/orders', (request, reply) => reply.code(201).send(toOrder(request.body)))
app.get('/refused/401', (_request, reply) => reply.code(401).send(refusal(401, 'Unauthorized', 'Sign in first.')))
app.get('/refused/429', (_request, reply) =>
  reply.code(429).send(refusal(429, 'Too Many Requests', 'Try again later.')),
)
app.post('/refused/400', (_request, reply) => reply.code(400).send(refusal(400, 'Bad Request', 'This does not fit.')))
await app.listen({ port, host: '127.0.0.1' })
