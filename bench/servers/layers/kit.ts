// All five layers of Holdfast as shipped. BENCH_EXACT has the limiter ask Redis for every call.
import { createAccessTokens, createKeySet, createSessions } from 'holdfast/auth'
import { apiHeaders } from 'holdfast/headers'
import { get, ok } from 'holdfast/http'
import { createLogger } from 'holdfast/logging'
import { createLimiter } from 'holdfast/rate-limit'
import { createRedis, createRedisLimitStore, createRedisSessionStore } from 'holdfast/redis'
import { Ping, ping } from '../work.ts'
import { audience, issuer, lifetimeSeconds, origin, roomy, scarce } from './settings.ts'

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

/** For `createHttp`. */
export const layers = {
  logger,
  headers: apiHeaders(),
  cors: { origins: [origin] },
  limiter,
  authenticate: sessions.authenticate,
}

/** What every service of a question about layers has beside its work. */
export const commonRoutes = [
  get('/ping', { access: 'public', reply: { 200: Ping } }, () => ok(ping)),
  get('/scarce', { access: 'public', limit: 'scarce', reply: { 200: Ping } }, () => ok(ping)),
]
