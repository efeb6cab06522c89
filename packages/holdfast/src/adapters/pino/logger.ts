import { isatty } from 'node:tty'
import { pino, type Logger as Pino } from 'pino'
import type { LogFields, Logger, LogMethod } from '../../foundation/logger.ts'
import { openOutput, type LogDestination, type LogSink, type Output } from './output.ts'
import { createPrettifier } from './pretty.ts'
import { toPrintable, toPrintableText, type PrintOptions } from './printable.ts'
import { toPathTree } from './redaction.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

export interface LoggerOptions {
  /** The least level that is written. Default `info` */
  readonly level?: LogLevel
  /** `json`: one object per line, for machines. `pretty`: for people; needs the package pino-pretty. Default `json` */
  readonly format?: 'json' | 'pretty'
  /** A file descriptor, the path of a file, or a stream. Default: standard output */
  readonly destination?: LogDestination
  /**
   * Exact paths whose values are replaced, such as `user.email`, on top of the names that always are: password, token,
   * secret, authorization, cookie and their kin, wherever they stand.
   */
  readonly redact?: readonly string[]
  /** Fields of every line, such as the name and version of the service. */
  readonly fields?: LogFields
}

/**
 * A logger that writes with pino, without making callers wait and without ever throwing at them.
 *
 * Lines are bounded: texts of 8192 characters, 100 entries, 8 levels, some 64 KiB in all. Errors are written with their
 * fields and causes, values wrapped in `Secret` as `[secret]`. A field named like one of pino's own (`level`, `time`,
 * `msg`, …) is written with `_` behind it. While nobody reads the output, up to 16 MiB wait; more is dropped and counted.
 *
 * @throws {TypeError} for an unknown level or format, or a path with a wildcard
 * @throws {Error} when `format` is `pretty` and pino-pretty is not installed
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { level = 'info', format = 'json', destination = 1, redact = [], fields = {} } = options
  assertOneOf('level', level, ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
  assertOneOf('format', format, ['json', 'pretty'])
  const print: PrintOptions = { paths: toPathTree(redact), escapesControls: format === 'pretty' }

  const output = openOutput(destination, (lines) => logger.warn({ lines }, 'Log lines were dropped: nobody read them'))
  const sink = format === 'pretty' ? prettySink(output, destination) : output
  const instance = pino(
    {
      level,
      timestamp: createTimestamp(),
      formatters: { level: (label) => ({ level: label }) },
      // Errors arrive as plain data; pino's own serialiser would take them for errors once more.
      serializers: { err: (value: unknown) => value },
    },
    sink,
  )
  const logger = portOf(instance.child(toPrintable(fields, print)), print, output)
  return logger
}

function portOf(instance: Pino, print: PrintOptions, output: Output): Logger {
  const method = (level: Exclude<LogLevel, 'silent'>): LogMethod => {
    if (!instance.isLevelEnabled(level)) return () => {}
    return (fields, message) => {
      try {
        instance[level](toPrintable(fields, print), toPrintableText(message, print))
      } catch {
        // Whoever logs has something more important to do than to survive the log.
      }
    }
  }
  return {
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    fatal: method('fatal'),
    child: (fields) => portOf(instance.child(toPrintable(fields, print)), print, output),
    flush: () => output.flush(),
  }
}

/** The time as pino wants it, formatted once per millisecond: under load many lines share one. */
function createTimestamp(): () => string {
  let writtenAt = Number.NaN
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== writtenAt) {
      writtenAt = now
      text = `,"time":"${new Date(now).toISOString()}"`
    }
    return text
  }
}

function prettySink(output: Output, destination: LogDestination): LogSink {
  const isTerminal = typeof destination === 'number' && isatty(destination)
  const prettify = createPrettifier(isTerminal && !process.env['NO_COLOR'])
  return { write: (line) => output.write(prettify(line)) }
}

function assertOneOf(name: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) throw new TypeError(`${name} is one of ${known.join(', ')}; got ${String(value)}`)
}
