export type LogFields = Readonly<Record<string, unknown>>
export type LogMethod = (fields: LogFields, message: string) => void

/**
 * Where the kit writes what happened: one structured line per call, fields first.
 * `holdfast/logging` fills it with pino.
 */
export interface Logger {
  readonly trace: LogMethod
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
  readonly fatal: LogMethod
  /** A logger that adds `fields` to each of its lines. */
  child(fields: LogFields): Logger
  /** Resolves when every line so far is out of this process. Never rejects. */
  flush(): Promise<void>
}

const nothing: LogMethod = () => {}

/** Says nothing. For tests that look elsewhere. */
export const silentLogger: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => silentLogger,
  flush: () => Promise.resolve(),
}
