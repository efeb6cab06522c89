import { connectionUrl, type Relation, wholeNumber } from 'holdfast/config'
import type { z } from 'zod'

/** What the database has to be told; src/config.ts reads it with the rest. */
export const storeSettings = {
  MONGODB_URL: connectionUrl({ schemes: ['mongodb', 'mongodb+srv'] }).optional(),
  MONGODB_POOL_SIZE: wholeNumber(1, 1000).default(10),
  MONGODB_OPERATION_TIMEOUT_MS: wholeNumber(1, 3_600_000).default(5000),
  // Reports have a pool of their own, so that however many are asked for, the rest of the service does not wait for them.
  REPORTING_POOL_SIZE: wholeNumber(1, 1000).default(2),
  REPORTING_OPERATION_TIMEOUT_MS: wholeNumber(1, 3_600_000).default(20_000),
  MONGODB_MAX_CONNECTIONS: wholeNumber(1, 1_000_000).default(500),
}

interface StoreConfig extends Readonly<z.infer<z.ZodObject<typeof storeSettings>>> {
  readonly REQUEST_TIMEOUT_MS: number
  readonly REPORT_TIMEOUT_MS: number
  readonly INSTANCES: number
}

// The adapter keeps so many beside each pool, to ask for health and to undo transactions.
const besideEachPool = 2

export const storeRelations = (config: StoreConfig): readonly Relation[] => [
  {
    holds: config.MONGODB_URL !== undefined,
    message:
      'MONGODB_URL is missing: no MongoDB is embedded. Set it, or MONGODB_URL_FILE; docker compose up -d starts the one of .env.example',
  },
  {
    holds: config.MONGODB_OPERATION_TIMEOUT_MS < config.REQUEST_TIMEOUT_MS,
    message: 'MONGODB_OPERATION_TIMEOUT_MS must be below REQUEST_TIMEOUT_MS, or calls give up before their query does',
  },
  {
    holds: config.REPORTING_OPERATION_TIMEOUT_MS < config.REPORT_TIMEOUT_MS,
    message:
      'REPORTING_OPERATION_TIMEOUT_MS must be below REPORT_TIMEOUT_MS, or calls give up before their report does',
  },
  {
    holds:
      (config.MONGODB_POOL_SIZE + config.REPORTING_POOL_SIZE + 2 * besideEachPool) * config.INSTANCES <=
      config.MONGODB_MAX_CONNECTIONS,
    message:
      '(MONGODB_POOL_SIZE + REPORTING_POOL_SIZE + 4) × INSTANCES must not exceed MONGODB_MAX_CONNECTIONS, or the last instances get none',
  },
]
