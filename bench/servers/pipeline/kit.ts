// Holdfast with all five layers as shipped. BENCH_EXACT has the limiter ask Redis for every call.
import { createAccessTokens, createKeySet, createSessions } from 'holdfast/auth'
import { apiHeaders } from 'holdfast/headers'
import { createHttp, created, get, ok, post, roles } from 'holdfast/http'
import { createLogger } from 'holdfast/logging'
import { createLimiter } from 'holdfast/rate-limit'
import { createRedis, createRedisLimitStore, createRedisSessionStore } from 'holdfast/redis'
import { audience, issuer, lifetimeSeconds, origin, roomy, scarce } from './settings.ts'
import { Item, ItemParams, ItemQuery, NewOrder, Order, Ping, ping, toItem, toOrder } from './work.ts'

const logger = createLogger({ level: 'info', format: 'json' })
const redis = createRedis({
  url: process.env['BENCH_REDIS'] as string,
  keyPrefix: `${process.env['BENCH_NAME']}:`,
  logger,
})
await redis.check()

const exact = process.env['BENCH_EXACT'] !== undefined
const limiter = createLimiter({
  policies: {
    address: { by: 'address', ...roomy, exact },
    principal: { by: 'principal', ...roomy, exact },
    scarce: { by: 'address', ...scarce },
  },
  everywhere: ['address', 'principal'],
  store: createRedisLimitStore(redis),
  logger,
})
const sessions = createSessions({
  store: createRedisSessionStore(redis),
  tokens: createAccessTokens({
    issuer,
    audience,
    lifetimeSeconds,
    keys: createKeySet(process.env['BENCH_JWKS'] as string),
  }),
  findRights: async () => undefined,
  logger,
})
await sessions.open()

export const http = createHttp(
  [
    get('/ping', { access: 'public', reply: { 200: Ping } }, () => ok(ping)),
    get('/scarce', { access: 'public', limit: 'scarce', reply: { 200: Ping } }, () => ok(ping)),
    get('/items/:id', { access: roles('reader'), params: ItemParams, query: ItemQuery, reply: { 200: Item } }, (call) =>
      ok(toItem(call.params.id, call.query.currency)),
    ),
    post('/orders', { access: roles('writer'), body: NewOrder, reply: { 201: Order } }, (call) =>
      created('/orders/7', toOrder(call.body)),
    ),
  ],
  { logger, headers: apiHeaders(), cors: { origins: [origin] }, limiter, authenticate: sessions.authenticate },
)
