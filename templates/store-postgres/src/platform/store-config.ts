import { connectionUrl, type Relation, wholeNumber } from 'holdfast/config'
import type { z } from 'zod'

/** What the database has to be told; src/config.ts reads it with the rest. */
export const storeSettings = {
  DATABASE_URL: connectionUrl({ schemes: ['postgres', 'postgresql'] }).optional(),
  DATABASE_POOL_SIZE: wholeNumber(1, 10_000).default(10),
  DATABASE_STATEMENT_TIMEOUT_MS: wholeNumber(1, 3_600_000).default(5000),
  // Reports have a pool of their own, so that however many are asked for, the rest of the service does not wait for them.
  REPORTING_POOL_SIZE: wholeNumber(1, 10_000).default(2),
  REPORTING_STATEMENT_TIMEOUT_MS: wholeNumber(1, 3_600_000).default(20_000),
  DATABASE_MAX_CONNECTIONS: wholeNumber(1, 10_000).default(100),
}

interface StoreConfig extends Readonly<z.infer<z.ZodObject<typeof storeSettings>>> {
  readonly NODE_ENV: 'development' | 'test' | 'production'
  readonly REQUEST_TIMEOUT_MS: number
  readonly REPORT_TIMEOUT_MS: number
  readonly INSTANCES: number
}

export const storeRelations = (config: StoreConfig): readonly Relation[] => [
  {
    holds: config.NODE_ENV !== 'production' || config.DATABASE_URL !== undefined,
    message: 'DATABASE_URL is missing: production takes no embedded database. Set it, or DATABASE_URL_FILE',
  },
  {
    holds: config.DATABASE_STATEMENT_TIMEOUT_MS < config.REQUEST_TIMEOUT_MS,
    message: 'DATABASE_STATEMENT_TIMEOUT_MS must be below REQUEST_TIMEOUT_MS, or calls give up before their query does',
  },
  {
    holds: config.REPORTING_STATEMENT_TIMEOUT_MS < config.REPORT_TIMEOUT_MS,
    message:
      'REPORTING_STATEMENT_TIMEOUT_MS must be below REPORT_TIMEOUT_MS, or calls give up before their report does',
  },
  {
    // One more of each instance listens for revoked sessions.
    holds:
      (config.DATABASE_POOL_SIZE + config.REPORTING_POOL_SIZE + 1) * config.INSTANCES <=
      config.DATABASE_MAX_CONNECTIONS,
    message:
      '(DATABASE_POOL_SIZE + REPORTING_POOL_SIZE + 1) × INSTANCES must not exceed DATABASE_MAX_CONNECTIONS, or the last instances get none',
  },
]
