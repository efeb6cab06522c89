import type { LogFields, Logger } from '../../foundation/logger.ts'

export interface LoggedLine {
  readonly level: string
  readonly fields: LogFields
  readonly message: string
}

export interface RecordingLogger extends Logger {
  readonly lines: LoggedLine[]
}

export function createRecordingLogger(flush: () => Promise<void> = () => Promise.resolve()): RecordingLogger {
  const lines: LoggedLine[] = []
  const method = (level: string) => (fields: LogFields, message: string) => void lines.push({ level, fields, message })
  const logger: RecordingLogger = {
    lines,
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    fatal: method('fatal'),
    child: () => logger,
    flush,
  }
  return logger
}
