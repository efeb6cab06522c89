import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { z } from 'zod'
import { createLogger } from '../../src/adapters/pino/logger.ts'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import { currentRequest } from '../../src/core/context/request-context.ts'
import type { Http } from '../../src/core/http/http.ts'
import { ok, page, pageOf } from '../../src/core/http/reply.ts'
import { get, post, type Route } from '../../src/core/http/route.ts'
import { asyncHandler } from '../../src/edges/express/parts.ts'
import { fallback as expressFallback, routes as expressRoutes } from '../../src/edges/express/routes.ts'
import { fastifyOptions } from '../../src/edges/fastify/options.ts'
import { fallback as fastifyFallback, routes as fastifyRoutes } from '../../src/edges/fastify/routes.ts'
import { createServer } from '../../src/edges/node/server.ts'
import type { LogFields, Logger, LogMethod } from '../../src/foundation/logger.ts'
import { thrown } from './thrown.ts'

// One process for one NODE_ENV: starts each edge, has each layer throw each value, and reports what came over the
// socket and what stands in the log. Asked by `egress.test.ts`, which judges.

/** One value thrown in one layer on one edge. */
export interface Sighting {
  readonly edge: 'express' | 'fastify'
  readonly layer: string
  readonly value: string
  /** The whole response as it came off the socket; empty when none came in time. */
  readonly response: string
  /** Lines of the log that hold an error, and whether it is the very value that was thrown. */
  readonly errors: readonly { readonly level: string; readonly isWhole: boolean }[]
  /** What pino made of these lines. */
  readonly lines: string
  /** Rejections and exceptions that nobody handled. */
  readonly escaped: readonly string[]
}

// — what is thrown, and when —

let armed = 'an Error'
// Some layers run twice, so one request may throw several values of its kind.
const made: unknown[] = []
const boom = (): never => {
  const value = (thrown[armed] as { make: () => unknown }).make()
  made.push(value)
  throw value
}
const later = async (): Promise<never> => {
  await new Promise((resolve) => void setImmediate(resolve))
  return boom()
}
// A service below the handler, that finds its request by itself.
const orders = {
  async find(): Promise<never> {
    currentRequest()?.logger.info({}, 'looking')
    await new Promise((resolve) => void setImmediate(resolve))
    return boom()
  },
}

// — a log that keeps the values themselves, and what pino writes of them —

const records: { level: string; fields: LogFields }[] = []
let lines = ''
const pino = createLogger({ level: 'warn', destination: { write: (line) => (lines += line) } })
const keep =
  (level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'): LogMethod =>
  (fields, message) => {
    records.push({ level, fields })
    pino[level](fields, message)
  }
const logger: Logger = {
  trace: keep('trace'),
  debug: keep('debug'),
  info: keep('info'),
  warn: keep('warn'),
  error: keep('error'),
  fatal: keep('fatal'),
  child: () => logger,
  flush: () => Promise.resolve(),
}
const failing: Logger = {
  trace: boom,
  debug: boom,
  info: boom,
  warn: boom,
  error: boom,
  fatal: boom,
  child: boom,
  flush: () => later(),
}

const escaped: string[] = []
const escape =
  (kind: string) =>
  (reason: unknown): void => {
    let text = 'something without a text'
    try {
      text = String(reason).slice(0, 200)
    } catch {
      // That it escaped is the finding.
    }
    escaped.push(`${kind}: ${text}`)
  }
process.on('unhandledRejection', escape('unhandledRejection'))
process.on('uncaughtException', escape('uncaughtException'))

// — the layers, each a path —

const Any = z.any()
const reply = { 200: Any }
const open = { access: 'public', reply } as const
const fine = (): ReturnType<typeof ok> => ok({ fine: true })
const hostileData = (): object => Object.defineProperty({}, 'secret', { get: boom, enumerable: true })

const table: readonly Route[] = [
  get('/authenticate', { access: signedIn, reply }, fine),
  get('/access', { access: { rule: 'broken', allows: boom }, reply }, fine),
  get('/params/:id', { ...open, params: z.object({ id: z.string().transform(boom) }) }, fine),
  get('/params-later/:id', { ...open, params: z.object({ id: z.string().refine(later) }) }, fine),
  get('/query', { ...open, query: z.object({ q: z.string().transform(boom) }) }, fine),
  get('/query-later', { ...open, query: z.object({ q: z.string().superRefine(later) }) }, fine),
  post('/body', { ...open, body: z.object({ a: z.string().refine(boom) }) }, fine),
  post('/body-later', { ...open, body: z.object({ a: z.string().transform(later) }) }, fine),
  get('/handler', open, boom),
  get('/handler-async', open, async () => boom()),
  get('/handler-later', open, later),
  get('/service', open, () => orders.find()),
  get('/reply-schema', { access: 'public', reply: { 200: z.object({ fine: z.boolean().transform(boom) }) } }, () =>
    ok({ fine: true }),
  ),
  get('/reply-schema-later', { access: 'public', reply: { 200: z.object({ fine: z.boolean().refine(later) }) } }, () =>
    ok({ fine: true }),
  ),
  get(
    '/page-schema-later',
    { access: 'public', reply: { 200: pageOf(z.object({ fine: z.boolean().refine(later) })) } },
    () => page([{ fine: true }, { fine: true }], null),
  ),
  get('/reply-data', open, () => ok(hostileData())),
  get('/reply-data-later', open, async () => ok(hostileData())),
  get('/reply-json', open, () => ok({ toJSON: boom })),
  get('/reply-headers', open, () => ok({}, hostileData() as Record<string, string>)),
  get('/reply-headers-later', { access: 'public', reply: { 200: z.any().refine(async () => true) } }, () =>
    ok({}, hostileData() as Record<string, string>),
  ),
  get('/reply-location', open, async () => Object.defineProperty(ok({}), 'headers', { get: boom })),
]

const authenticate = ({ authorization }: { authorization: string | undefined }): never | Promise<never> =>
  authorization === 'later' ? later() : boom()

const httpOf = {
  table: createHttp(table, { logger, authenticate }),
  format: createHttp(
    [get('/format', open, fine), get('/format-later', { ...open, reply: { 200: Any.refine(async () => true) } }, fine)],
    { logger, format: boom },
  ),
  health: createHttp([], { logger, health: { isLive: boom, readiness: later } }),
  logger: createHttp(
    [
      get('/fine', open, fine),
      get('/fine-later', open, async () => fine()),
      get('/handler', open, boom),
      get('/handler-later', open, later),
    ],
    { logger: failing },
  ),
}
type Service = keyof typeof httpOf

interface Layer {
  readonly service: Service
  readonly request: string
}
const getting = (service: Service, path: string, headers = ''): Layer => ({
  service,
  request: `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${headers}\r\n`,
})
const posting = (path: string): Layer => ({
  service: 'table',
  request: `POST ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"a":"b"}`,
})
const layers: Readonly<Record<string, Layer>> = {
  authenticate: getting('table', '/authenticate'),
  'authenticate, later': getting('table', '/authenticate', 'authorization: later\r\n'),
  access: getting('table', '/access'),
  params: getting('table', '/params/7'),
  'params, later': getting('table', '/params-later/7'),
  'params, later, with a broken query': getting('table', '/params-later/7?a=%zz'),
  query: getting('table', '/query?q=a'),
  'query, later': getting('table', '/query-later?q=a'),
  body: posting('/body'),
  'body, later': posting('/body-later'),
  handler: getting('table', '/handler'),
  'handler, async': getting('table', '/handler-async'),
  'handler, later': getting('table', '/handler-later'),
  service: getting('table', '/service'),
  'reply schema': getting('table', '/reply-schema'),
  'reply schema, later': getting('table', '/reply-schema-later'),
  'reply schema of a page, later': getting('table', '/page-schema-later'),
  'reply data': getting('table', '/reply-data'),
  'reply data, later': getting('table', '/reply-data-later'),
  'reply data, toJSON': getting('table', '/reply-json'),
  'reply headers': getting('table', '/reply-headers'),
  'reply headers, later': getting('table', '/reply-headers-later'),
  'reply, its members': getting('table', '/reply-location'),
  format: getting('format', '/format'),
  'format, later': getting('format', '/format-later'),
  'health, live': getting('health', '/livez'),
  'health, ready': getting('health', '/readyz'),
  'logger, of a good reply': getting('logger', '/fine'),
  'logger, of a good reply, later': getting('logger', '/fine-later'),
  'logger, of a defect': getting('logger', '/handler'),
  'logger, of a defect, later': getting('logger', '/handler-later'),
  'native handler': getting('table', '/native'),
  'native handler, async': getting('table', '/native-async'),
  'native handler, later': getting('table', '/native-later'),
  'native handler, wrapped': getting('table', '/native-wrapped'),
}

// — the edges, with a handler of the framework's own beside the table —

async function startExpress(http: Http): Promise<number> {
  const app = express()
  app.disable('x-powered-by')
  app.use(expressRoutes(http))
  app.get('/native', boom)
  app.get('/native-async', async () => boom())
  app.get('/native-later', later)
  app.get('/native-wrapped', asyncHandler(later))
  app.use(expressFallback(http))
  const server = createServer(app, { logger })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function startFastify(http: Http): Promise<number> {
  const app = Fastify(fastifyOptions(http, { logger }))
  await app.register(fastifyFallback, { http })
  await app.register(fastifyRoutes, { http })
  app.get('/native', boom)
  app.get('/native-async', async () => boom())
  app.get('/native-later', later)
  app.get('/native-wrapped', later)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

// Only what never answers waits for it.
const patienceMs = 5000
function ask(port: number, request: string): Promise<string> {
  return new Promise((resolve) => {
    let response = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    const timer = setTimeout(() => socket.destroy(), patienceMs)
    socket.on('data', (chunk) => (response += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(response)
    })
  })
}

// What is no object can't be handed through a framework as it is; an Error that stands for it will do.
const isPlain = (value: unknown): boolean => typeof value !== 'object' || value === null

const settle = (): Promise<unknown> => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)))

for (const edge of ['express', 'fastify'] as const) {
  const ports: Partial<Record<Service, number>> = {}
  for (const service of Object.keys(httpOf) as Service[])
    ports[service] = await (edge === 'express' ? startExpress : startFastify)(httpOf[service])
  for (const [layer, { service, request }] of Object.entries(layers)) {
    const sightings: Sighting[] = []
    for (const value of Object.keys(thrown)) {
      armed = value
      records.length = 0
      made.length = 0
      lines = ''
      escaped.length = 0
      const response = await ask(ports[service] as number, request)
      await settle()
      const isWhole = (err: unknown): boolean =>
        made.some((one) => Object.is(one, err) || (isPlain(one) && err instanceof Error))
      const errors = records
        .filter(({ fields }) => 'err' in fields)
        .map(({ level, fields }) => ({ level, isWhole: isWhole(fields['err']) }))
      sightings.push({ edge, layer, value, response: response.slice(0, 20_000), errors, lines, escaped: [...escaped] })
    }
    process.send?.(sightings)
  }
}
process.send?.('done')
process.on('disconnect', () => process.exit())
