import express from 'express'
import Fastify from 'fastify'
import { z } from 'zod'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { currentRequest } from '../../src/core/context/request-context.ts'
import { ok } from '../../src/core/http/reply.ts'
import { get, post } from '../../src/core/http/route.ts'
import * as onExpress from '../../src/edges/express/parts.ts'
import { fallback as expressFallback, routes as expressRoutes } from '../../src/edges/express/routes.ts'
import { fastifyOptions } from '../../src/edges/fastify/options.ts'
import * as onFastify from '../../src/edges/fastify/parts.ts'
import { fallback as fastifyFallback, routes as fastifyRoutes } from '../../src/edges/fastify/routes.ts'
import { createServer } from '../../src/edges/node/server.ts'
import type { Logger } from '../../src/foundation/logger.ts'
import { createRecordingLogger, type LogLine } from '../../src/testing/recording-logger.ts'
import { run, type RunningEdge } from '../edges.ts'

// The same two apps on both frameworks, written the way each is written natively: one that adopted single parts, and
// one that has a table beside routes of its own.

export interface Log {
  readonly logger: Logger
  readonly records: LogLine[]
}

export function createLog(): Log {
  const logger = createRecordingLogger()
  return { logger, records: logger.lines }
}

const Order = z.object({ name: z.string().max(20), quantity: z.int().min(1) })
const Filter = z.object({ limit: z.coerce.number().int().max(100) })
const Id = z.object({ id: z.coerce.number().int() })
/** A schema with a bug: it throws what it is told to. */
const faulty = (value: () => unknown): z.ZodType =>
  z.string().transform(() => {
    throw value()
  })

/** What the handlers throw, by path. */
export const thrown: Readonly<Record<string, unknown>> = {
  null: null,
  undefined: undefined,
  zero: 0,
  false: false,
  empty: '',
  route: 'route',
  router: 'router',
  text: 'a text',
  error: new Error('an error'),
  9999: Object.assign(new Error('an error'), { status: 9999, statusCode: 9999 }),
}

export interface Native {
  readonly parts: (log: Log) => Promise<RunningEdge>
  readonly mixed: (log: Log, prefix: string) => Promise<RunningEdge>
}

const table = (log: Log): ReturnType<typeof createHttp> =>
  createHttp(
    [
      get('/orders', { access: 'public', reply: { 200: z.object({ by: z.string() }) } }, () => ok({ by: 'table' })),
      post('/mixed', { access: 'public', body: Order, reply: { 200: z.object({ by: z.string() }) } }, () =>
        ok({ by: 'table' }),
      ),
    ],
    { logger: log.logger },
  )

export const natives: Readonly<Record<'express' | 'fastify', Native>> = {
  express: {
    async parts({ logger }) {
      const { asyncHandler, errorHandler, requestLog, validate } = onExpress
      const newOrder = validate({ body: Order })
      const search = validate({ query: Filter })
      const one = validate({ params: Id })
      const app = express()
      app.disable('x-powered-by')
      app.use(requestLog({ logger }))
      app.use(express.json({ limit: 1000 }))
      app.post('/orders', newOrder, (request, response) => {
        const { body } = newOrder.of(request)
        response.json({ body, context: currentRequest()?.requestId ?? null })
      })
      app.get(
        '/search',
        search,
        (request, response) => void response.json({ query: search.of(request).query, raw: request.query }),
      )
      app.get('/orders/:id', one, (request, response) => void response.json(one.of(request).params))
      app.get(
        '/unvalidated',
        asyncHandler((request, response) => void response.json(newOrder.of(request))),
      )
      app.get('/context', (_request, response) => void response.json({ context: currentRequest()?.requestId ?? null }))
      app.post(
        '/context-later',
        asyncHandler(async (_request, response) => {
          await new Promise((resolve) => void setTimeout(resolve, 5))
          response.json({ context: currentRequest()?.requestId ?? null })
        }),
      )
      for (const [name, value] of Object.entries(thrown)) {
        app.get(
          `/throws/${name}`,
          asyncHandler(async () => {
            throw value
          }),
        )
        app.get(
          `/faulty/${name}/:id`,
          validate({ params: z.object({ id: faulty(() => value) }) }),
          (_request, response) => void response.json({ reached: true }),
        )
      }
      const nested = express.Router()
      nested.get('/fine/:id', (_request, response) => void response.json({}))
      nested.get(
        '/broken/:id',
        asyncHandler(() => {
          throw new Error('an error')
        }),
      )
      app.use('/nested', nested)
      app.use(errorHandler({ logger }))
      return run(createServer(app))
    },
    async mixed(log, prefix) {
      const http = table(log)
      const app = express()
      app.disable('x-powered-by')
      // Express compares mount paths without case unless told; the paths of the table itself need no setting.
      app.enable('case sensitive routing')
      app.use(onExpress.requestLog(log))
      app.use(prefix === '' ? '/' : prefix, expressRoutes(http))
      app.use(express.json())
      app.get(`${prefix}/mixed`, (_request, response) => void response.json({ by: 'native' }))
      app.put('/native', (request, response) => void response.json({ by: 'native', body: request.body as unknown }))
      app.get('/native/broken', () => {
        throw new Error('an error')
      })
      app.use(expressFallback(http, { mountPath: prefix }))
      return run(createServer(app))
    },
  },
  fastify: {
    async parts({ logger }) {
      const { errorHandler, requestLog, validate } = onFastify
      const newOrder = validate({ body: Order })
      const search = validate({ query: Filter })
      const one = validate({ params: Id })
      const app = Fastify({ bodyLimit: 1000 })
      await app.register(requestLog, { logger })
      await app.register(errorHandler, { logger })
      app.post('/orders', { preHandler: newOrder }, (request, reply) => {
        const { body } = newOrder.of(request)
        reply.send({ body, context: currentRequest()?.requestId ?? null })
      })
      app.get(
        '/search',
        { preHandler: search },
        (request, reply) => void reply.send({ query: search.of(request).query, raw: request.query }),
      )
      app.get('/orders/:id', { preHandler: one }, (request, reply) => void reply.send(one.of(request).params))
      app.get('/unvalidated', (request, reply) => void reply.send(newOrder.of(request)))
      app.get('/context', (_request, reply) => void reply.send({ context: currentRequest()?.requestId ?? null }))
      app.post('/context-later', async () => {
        await new Promise((resolve) => void setTimeout(resolve, 5))
        return { context: currentRequest()?.requestId ?? null }
      })
      for (const [name, value] of Object.entries(thrown)) {
        app.get(`/throws/${name}`, async () => {
          throw value
        })
        app.get(
          `/faulty/${name}/:id`,
          { preHandler: validate({ params: z.object({ id: faulty(() => value) }) }) },
          (_request, reply) => void reply.send({ reached: true }),
        )
      }
      await app.register(
        (nested, _options, done) => {
          nested.get('/fine/:id', (_request, reply) => void reply.send({}))
          nested.get('/broken/:id', () => {
            throw new Error('an error')
          })
          done()
        },
        { prefix: '/nested' },
      )
      await app.ready()
      return run(app.server)
    },
    async mixed(log, prefix) {
      const http = table(log)
      const app = Fastify(fastifyOptions(http))
      await app.register(onFastify.requestLog, log)
      await app.register(fastifyFallback, { http, mountPath: prefix })
      await app.register(fastifyRoutes, prefix === '' ? { http } : { http, prefix })
      app.get(`${prefix}/mixed`, (_request, reply) => void reply.send({ by: 'native' }))
      app.put('/native', (request, reply) => void reply.send({ by: 'native', body: request.body }))
      app.get('/native/broken', () => {
        throw new Error('an error')
      })
      await app.ready()
      return run(app.server)
    },
  },
}
