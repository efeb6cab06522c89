import Fastify from 'fastify'
import { fallback, fastifyOptions, routes } from 'holdfast/fastify'
import { port } from '../work.ts'
import { http } from './kit.ts'

const app = Fastify(fastifyOptions(http))
await app.register(fallback, { http })
await app.register(routes, { http })
await app.listen({ port, host: '127.0.0.1' })
