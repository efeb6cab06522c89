import type { Logger } from 'holdfast/http'
import { createLimiter, type Limiter } from 'holdfast/rate-limit'
import { createRedisLimitStore, type Redis } from 'holdfast/redis'
import type { Config } from '../config.ts'

/** How often things may be done. Routes name those that hold for them beside those everywhere. */
export function createServiceLimiter(redis: Redis | undefined, config: Config, logger: Logger): Limiter {
  return createLimiter({
    policies: {
      address: { by: 'address', quota: config.LIMIT_ADDRESS_PER_MINUTE, windowSeconds: 60 },
      principal: { by: 'principal', quota: config.LIMIT_PRINCIPAL_PER_MINUTE, windowSeconds: 60 },
      login: { by: 'address', quota: config.LIMIT_LOGIN_FAILURES_PER_MINUTE, windowSeconds: 60, counts: 'failures' },
      // Whoever guesses at one account from many addresses.
      account: { by: { body: 'email' }, quota: 5, windowSeconds: 900, counts: 'failures' },
      register: { by: 'address', quota: config.LIMIT_REGISTRATIONS_PER_10_MINUTES, windowSeconds: 600 },
      password: { by: 'principal', quota: 5, windowSeconds: 900, counts: 'failures' },
    },
    everywhere: ['address', 'principal'],
    ...(redis && { store: createRedisLimitStore(redis) }),
    logger,
  })
}
