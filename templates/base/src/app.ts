import { jwksRoute, type Sessions } from 'holdfast/auth'
import { createContainer } from 'holdfast/container'
import { apiHeaders } from 'holdfast/headers'
import { createHttp, type Logger } from 'holdfast/http'
import { createHealth, type LifecycleState } from 'holdfast/lifecycle'
import { createPasswordHasher } from 'holdfast/passwords'
import type { Limiter } from 'holdfast/rate-limit'
import type { Config } from './config.ts'
import { createEdge } from './edge.ts'
import { createAccountRecords, createAccounts } from './modules/accounts/accounts.module.ts'
import { createCatalog } from './modules/catalog/catalog.module.ts'
import { createOrders } from './modules/orders/orders.module.ts'
import { createReports } from './modules/reports/reports.module.ts'
import { createServiceSessions, openKeys } from './platform/auth.ts'
import { assertMigrated, findDatabaseServer, openDatabase } from './platform/database.ts'
import { createServiceLimiter } from './platform/limits.ts'
import { findRedisServer, openRedis } from './platform/redis.ts'

export interface AppNeeds {
  readonly logger: Logger
  /** Aborts the start. */
  readonly signal: AbortSignal
  /** Where the process stands, for readiness. */
  readonly state: () => LifecycleState
}

/** The whole service, connected, listening to nothing. */
export function createApp(config: Config, { logger, signal, state }: AppNeeds) {
  // 1. Edge: the framework is named in edge.ts; the first line is logged before it exists.
  const limits = { keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS, logger }

  // 2. Security pipeline: five layers, in the order in which a request meets them.
  const pipeline = ({ limiter, sessions }: { readonly limiter: Limiter; readonly sessions: Sessions }) => ({
    headers: apiHeaders(),
    ...(config.CORS_ORIGINS && { cors: { origins: config.CORS_ORIGINS, credentials: true } }),
    limiter,
    authenticate: sessions.authenticate,
    // Validation is in the route tables: a handler sees what the schemas of its route vouch for, and nothing else.
  })
  const bounds = {
    topology: config.TRUSTED_PROXIES ? { trusted: config.TRUSTED_PROXIES } : ('direct' as const),
    timeoutMs: config.REQUEST_TIMEOUT_MS,
    maxBodyBytes: config.MAX_BODY_BYTES,
  }

  // 3. Layers: each part receives its needs.
  const layers = createContainer()
    .singleton('databaseServer', () => findDatabaseServer(config, logger), { dispose: (server) => server.stop() })
    .singleton('database', ({ databaseServer }) => openDatabase(databaseServer.url, config, logger), {
      dispose: (database) => database.close(),
    })
    .singleton('redisServer', () => findRedisServer(config, logger), { dispose: (server) => server?.stop() })
    .singleton('redis', ({ redisServer }) => openRedis(redisServer, config, logger), {
      dispose: (redis) => redis?.close(),
    })
    .singleton('limiter', ({ redis }) => createServiceLimiter(redis, config, logger))
    .singleton('keys', () => openKeys(config, logger))
    .singleton('hasher', () => createPasswordHasher({ logger }))
    .singleton('records', ({ database }) => createAccountRecords({ database, logger }))
    .singleton(
      'sessions',
      ({ database, databaseServer, redis, keys, records }) =>
        createServiceSessions(config, {
          database,
          databaseUrl: databaseServer.url,
          redis,
          keys,
          logger,
          findRights: records.findRights,
          onEvent: records.audit.onSessionEvent,
        }),
      { dispose: (sessions) => sessions.close() },
    )
    .singleton('accounts', ({ records, hasher, sessions }) => createAccounts({ records, hasher, sessions, logger }))
    .singleton('catalog', ({ database }) => createCatalog({ database }))
    .singleton('orders', ({ database, catalog }) => createOrders({ database, catalog: catalog.service }))
    .singleton('reports', ({ database }) => createReports({ database, timeoutMs: config.REPORT_TIMEOUT_MS }))

  // 4. Failure answers: one handler turns whatever is thrown into problem+json.
  const failures = { logger, revealDefects: config.REVEAL_DEFECTS }

  // 5. Data: no request before the database is there and migrated, and we know which tokens it took back.
  const data = layers
    .singleton('migrations', ({ database }) => assertMigrated(database))
    .singleton('revocations', ({ sessions }) => sessions.open())

  // 6. Resilience: probes that know what is missing; main.ts drains and stops.
  const service = data.singleton('health', ({ database }) =>
    createHealth({ state, logger, checks: { database: { check: (timeout) => database.check(timeout) } } }),
  )

  return service
    .singleton('http', ({ database, limiter, sessions, keys, accounts, catalog, orders, reports, health }) =>
      createHttp([...catalog.routes, ...orders.routes, ...reports.routes, ...accounts.routes, jwksRoute(keys)], {
        ...pipeline({ limiter, sessions }),
        ...bounds,
        ...failures,
        isolations: database.workloads,
        health,
      }),
    )
    .singleton('edge', ({ http }) => createEdge(http, limits), { dispose: (edge) => edge.close() })
    .start({ signal })
}
