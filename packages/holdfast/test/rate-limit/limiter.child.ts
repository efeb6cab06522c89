import { createRedisLimitStore } from '../../src/adapters/redis/limit-store.ts'
import { createRedis } from '../../src/adapters/redis/redis.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import type { LimitPolicy } from '../../src/core/rate-limit/limiter.ts'
import { gateOf, Load } from './load.ts'

// One process of a service with a limiter: `limiter.child.ts <url of Redis> <policies>`, told by messages what to do.

export interface Order {
  readonly names: readonly string[]
  readonly subject: string
  /** All at the same moment. */
  readonly calls: number
  /** Then so many every 5 ms, for so long. */
  readonly more: number
  readonly ms: number
}

const [url = '', policies = '{}'] = process.argv.slice(2)
const redis = createRedis({ url, commandTimeoutMs: 10_000 })
// The figures are those of shared counting, on a machine that may be busy with other things.
const limiter = createLimiter({
  policies: JSON.parse(policies) as Record<string, LimitPolicy>,
  store: createRedisLimitStore(redis),
  maxWaitMs: 5000,
})

process.on('message', (order: Order) => void carryOut(order))
await redis.check()
process.send?.('ready')

async function carryOut({ names, subject, calls, more, ms }: Order): Promise<void> {
  const gate = gateOf(limiter, ...names)
  const load = new Load()
  for (let call = 0; call < calls; call += 1) load.call(gate, subject)
  if (ms > 0) await load.keepUp(gate, [subject], { calls: more, ms })
  process.send?.({ ...(await load.outcome()), isShared: limiter.isShared })
}
