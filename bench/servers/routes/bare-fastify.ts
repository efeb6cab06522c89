// Fastify as its documentation starts: no layer at all. The body of POST is parsed and not validated.
import Fastify from 'fastify'
import { ping, port, toItem } from '../work.ts'

const app = Fastify()
app.get('/ping', () => ping)
app.get<{ Params: { id: string }; Querystring: { currency?: 'EUR' | 'USD' } }>('/items/:id', (request) =>
  toItem(Number(request.params.id), request.query.currency ?? 'EUR'),
)
app.post('/items', (request, reply) => reply.code(201).send(request.body))
await app.listen({ port, host: '127.0.0.1' })
