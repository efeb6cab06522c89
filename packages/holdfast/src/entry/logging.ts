export { createLogger, type LoggerOptions, type LogLevel } from '../adapters/pino/logger.ts'
export type { LogDestination, LogSink } from '../adapters/pino/output.ts'
export { silentLogger, type LogFields, type Logger, type LogMethod } from '../foundation/logger.ts'
