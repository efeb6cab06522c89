import { createLogger, type Logger } from 'holdfast/logging'
import type { Config } from '../config.ts'

export function createServiceLogger(config: Config): Logger {
  const level = config.LOG_LEVEL
  return config.NODE_ENV === 'development'
    ? createLogger({ level, format: 'pretty' })
    : createLogger({ level, format: 'json', fields: { service: '__SERVICE_NAME__' } })
}
