import type { LogFields, Logger, LogMethod } from '../foundation/logger.ts'

export interface LogLine {
  readonly level: string
  readonly fields: LogFields
  readonly message: string
}

export interface RecordingLogger extends Logger {
  /** What it was told, with the fields of the children it was told through. */
  readonly lines: LogLine[]
}

/**
 * A logger that keeps its lines instead of writing them, for tests that look at what was said.
 *
 * @param flush - stands in for the way out. Default: at once
 */
export function createRecordingLogger(flush: () => Promise<void> = () => Promise.resolve()): RecordingLogger {
  const lines: LogLine[] = []
  const make = (bound: LogFields): Logger => {
    const at =
      (level: string): LogMethod =>
      (fields, message) =>
        lines.push({ level, fields: { ...bound, ...fields }, message })
    return {
      trace: at('trace'),
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      fatal: at('fatal'),
      child: (fields) => make({ ...bound, ...fields }),
      flush,
    }
  }
  return Object.assign(make({}), { lines })
}
