import type { LogFields, Logger, LogMethod } from '../src/foundation/logger.ts'

export interface LogLine {
  readonly level: string
  readonly fields: LogFields
  readonly message: string
}

/** A logger that keeps what it was told. */
export function createCapturingLogger(): Logger & { readonly lines: LogLine[] } {
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
      flush: () => Promise.resolve(),
    }
  }
  return Object.assign(make({}), { lines })
}
