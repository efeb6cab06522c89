import { createContainer } from 'holdfast/container'
import { createHttp, type Logger } from 'holdfast/http'
import { createHealth, type LifecycleState } from 'holdfast/lifecycle'
import type { Config } from './config.ts'
import { createEdge } from './edge.ts'
import { createCatalog } from './modules/catalog/catalog.module.ts'
import { assertMigrated, findDatabaseServer, openDatabase } from './platform/database.ts'

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

  // 2. Security pipeline: what a request passes before a controller sees it.
  const pipeline = {
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
    .singleton('catalog', ({ database }) => createCatalog({ database }))

  // 4. Failure answers: one handler turns whatever is thrown into problem+json.
  const failures = { logger, revealDefects: config.REVEAL_DEFECTS }

  // 5. Data: no request before the database is there and migrated.
  const data = layers.singleton('migrations', ({ database }) => assertMigrated(database))

  // 6. Resilience: probes that know what is missing; main.ts drains and stops.
  const service = data.singleton('health', ({ database }) =>
    createHealth({ state, logger, checks: { database: { check: (timeout) => database.check(timeout) } } }),
  )

  return service
    .singleton('http', ({ catalog, health }) => createHttp(catalog.routes, { ...pipeline, ...failures, health }))
    .singleton('edge', ({ http }) => createEdge(http, limits), { dispose: (edge) => edge.close() })
    .start({ signal })
}
