import { createDatabase } from '../../src/adapters/postgres/database.ts'
import type { DatabaseOptions } from '../../src/adapters/postgres/database-options.ts'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { createHealth } from '../../src/core/lifecycle/health.ts'
import { type Logger, silentLogger } from '../../src/foundation/logger.ts'
import { edges } from '../edges.ts'
import { ledgerRoutes } from './ledger.ts'
import { statementRoutes } from './statements.ts'

// One process of a service: `service.child.ts <edge> <options of its database as JSON>`. Tells its parent where it listens.

const [edge = '', options = ''] = process.argv.slice(2)
const defects: string[] = []
const note = (fields: Readonly<Record<string, unknown>>, message: string): void => {
  // That is what readiness is for.
  if (message !== 'A dependency is down') defects.push(`${message}: ${String(fields['err'])}`)
}
const logger: Logger = { ...silentLogger, error: note, fatal: note, child: () => logger }
// Such as listeners that pile up. Whatever nobody catches ends the process, which its parent sees.
process.on('warning', (warning) => defects.push(String(warning)))

const database = createDatabase({ ...(JSON.parse(options) as DatabaseOptions), logger })
const health = createHealth({
  state: () => 'ready',
  checks: { database: { check: (signal) => database.check(signal), timeoutMs: 800 } },
  cacheMs: 50,
  logger,
})
const { url } = await edges[edge as keyof typeof edges](
  createHttp([...ledgerRoutes(database, defects), ...statementRoutes(database)], {
    logger,
    health,
    // A database without a pool of that name serves them from its own.
    isolations: ['reporting'],
    timeoutMs: 20_000,
  }),
)
process.send?.(url)
