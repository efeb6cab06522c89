// Fastify as a careful team wires it: its official plugins, Zod as type provider, its own request log.
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { Redis } from 'ioredis'
import { Ping, ping } from '../work.ts'
import { audience, issuer, origin, refusal, roomy, scarce } from './settings.ts'

export const app = Fastify({ logger: true }).withTypeProvider<ZodTypeProvider>()
app.setValidatorCompiler(validatorCompiler)
app.setSerializerCompiler(serializerCompiler)
app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.map(({ instancePath, message }) => ({ path: instancePath, message }))
    return reply.code(400).send({ ...refusal(400, 'Bad Request', 'This does not fit.'), errors })
  }
  const status = error.statusCode ?? 500
  if (status >= 500) request.log.error(error)
  return reply.code(status).send(refusal(status, error.name, status >= 500 ? 'Something went wrong.' : error.message))
})

await app.register(helmet)
await app.register(cors, { origin: [origin] })
await app.register(rateLimit, {
  redis: new Redis(process.env['BENCH_REDIS'] as string),
  nameSpace: 'hand-fastify:',
  max: roomy.quota * 1000,
  timeWindow: roomy.windowSeconds * 1000,
})
// A text and not a key object, which this plugin does not take; it makes one of it.
await app.register(jwt, {
  secret: process.env['BENCH_SECRET'] as string,
  verify: { algorithms: ['HS256'], allowedIss: issuer, allowedAud: audience },
})

// After the limit, before the body: hooks of `onRequest` would run before the limiter's.
export const may = (role: string) => ({
  preParsing: async (request: FastifyRequest, reply: FastifyReply) => {
    const { roles } = await request.jwtVerify<{ roles: readonly string[] }>()
    if (!roles.includes(role)) await reply.code(403).send(refusal(403, 'Forbidden', 'You may not do this.'))
  },
})

/** Who asks, behind {@link may}. */
export const callerOf = ({ user }: FastifyRequest): string => (user as { readonly sub: string }).sub

app.get('/ping', { schema: { response: { 200: Ping } } }, () => ping)
app.get(
  '/scarce',
  { config: { rateLimit: { max: scarce.quota, timeWindow: scarce.windowSeconds * 1000 } } },
  () => ping,
)
