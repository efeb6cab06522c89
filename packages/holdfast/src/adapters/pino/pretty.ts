import { createRequire } from 'node:module'
import type { PrettyOptions } from 'pino-pretty'

interface PinoPretty {
  readonly prettyFactory: (options: PrettyOptions) => (line: string) => string
}

export type LoadPretty = () => unknown

const loadInstalled: LoadPretty = () => createRequire(import.meta.url)('pino-pretty')

/**
 * A function that turns a JSON line into one for people.
 *
 * @throws {Error} when pino-pretty is not installed; it is an optional peer, for development
 */
export function createPrettifier(colorize: boolean, load: LoadPretty = loadInstalled): (line: string) => string {
  let pretty: PinoPretty
  try {
    pretty = load() as PinoPretty
  } catch (cause) {
    throw new Error(
      "The log format 'pretty' needs pino-pretty: run `npm install --save-dev pino-pretty`, or choose format 'json'",
      { cause },
    )
  }
  const shape = { singleLine: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }
  return pretty.prettyFactory({ ...shape, colorize })
}
