import { z } from 'zod'
import { createRedisLimitStore } from '../../src/adapters/redis/limit-store.ts'
import { createRedis } from '../../src/adapters/redis/redis.ts'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { signedIn } from '../../src/core/auth/access.ts'
import { ok } from '../../src/core/http/reply.ts'
import { get, type Route } from '../../src/core/http/route.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import { edges } from '../edges.ts'

// One process of a service whose limits live in Redis: `service.child.ts <edge> <url of Redis> <ms to wait>`.

const [edge = '', url = '', maxWaitMs = '100'] = process.argv.slice(2)
// Far longer than a call may wait: the driver is of no help.
const redis = createRedis({ url, commandTimeoutMs: 10_000 })
const limiter = createLimiter({
  policies: {
    each: { by: 'principal', quota: 60_000, windowSeconds: 60, exact: true },
    tight: { by: 'principal', quota: 60, windowSeconds: 60 },
  },
  everywhere: ['each'],
  store: createRedisLimitStore(redis),
  maxWaitMs: Number(maxWaitMs),
  retryStoreMs: 200,
})
const table: readonly Route[] = [
  get('/work', { access: signedIn, reply: { 200: z.boolean() } }, () => ok(limiter.isShared)),
  get('/tight', { access: signedIn, limit: 'tight', reply: { 200: z.boolean() } }, () => ok(limiter.isShared)),
]
await redis.check()
const { url: address } = await edges[edge as keyof typeof edges](
  createHttp(table, {
    limiter,
    authenticate: ({ authorization }) =>
      authorization ? { id: authorization, roles: [], permissions: [] } : undefined,
  }),
)
process.send?.(address)
