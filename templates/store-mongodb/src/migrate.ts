import { findDatabaseServer, migrateDatabase } from './platform/database.ts'
import { runTask } from './platform/task.ts'

await runTask(async (config, logger) => {
  const server = await findDatabaseServer(config, logger)
  await migrateDatabase(server.url, logger)
  logger.info({}, 'The database is up to date')
})
