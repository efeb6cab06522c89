import { runService } from 'holdfast/lifecycle'
import { createApp } from './app.ts'
import { drainDelayMs, readConfig } from './config.ts'
import { createServiceLogger } from './platform/logger.ts'

await runService(() => {
  const config = readConfig()
  const logger = createServiceLogger(config)
  return {
    logger,
    drainDelayMs: drainDelayMs(config),
    stopTimeoutMs: config.STOP_TIMEOUT_MS,
    start: async ({ signal, state, use, serve }) => {
      const app = use(await createApp(config, { logger, signal, state }), (built) => built.dispose(), 'app')
      const { url } = serve(await app.edge.listen({ host: config.HOST, port: config.PORT }))
      logger.info({ url }, 'Listening')
    },
  }
})
