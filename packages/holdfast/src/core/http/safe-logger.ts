import { type Logger, type LogMethod, silentLogger } from '../../foundation/logger.ts'

/** The same logger, except that what it throws ends here: a full disk must not turn an answer into an error. */
export function toSafeLogger(logger: Logger): Logger {
  const guard =
    (write: LogMethod): LogMethod =>
    (fields, message) => {
      try {
        write(fields, message)
      } catch {
        // There is nowhere left to say it.
      }
    }
  return {
    trace: guard((fields, message) => logger.trace(fields, message)),
    debug: guard((fields, message) => logger.debug(fields, message)),
    info: guard((fields, message) => logger.info(fields, message)),
    warn: guard((fields, message) => logger.warn(fields, message)),
    error: guard((fields, message) => logger.error(fields, message)),
    fatal: guard((fields, message) => logger.fatal(fields, message)),
    child(fields) {
      try {
        return toSafeLogger(logger.child(fields))
      } catch {
        return silentLogger
      }
    },
    flush: () => logger.flush(),
  }
}
