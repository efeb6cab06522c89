import { isIP } from 'node:net'
import { silentLogger } from '../../foundation/logger.ts'
import type { Logger } from '../../foundation/logger.ts'
import { shown, wholeNumber } from '../../foundation/whole-number.ts'

export interface RedisOptions {
  /** `redis://` or `rediss://`, with user, password and database as usual. Several: nodes of one cluster. */
  readonly url: string | readonly string[]
  /** The longest a command may take, 1–10 000 ms. Default 100. */
  readonly commandTimeoutMs?: number
  /**
   * The longest a connection may take, and the longest it may leave commands without any answer before it is given up
   * and made anew, 1–60 000 ms. Default 1000.
   */
  readonly connectTimeoutMs?: number
  /** Commands that may wait for an answer, 1–1 000 000; the next one fails at once. Default 10 000. */
  readonly maxPending?: number
  /**
   * Before each key and channel, so that services can share a server. At most 64 characters of `[A-Za-z0-9:_-]`.
   * Default none.
   */
  readonly keyPrefix?: string
  /** Certificate authorities in PEM to trust for `rediss://`, instead of those Node trusts. */
  readonly ca?: string
  /** Told when Redis goes and when it comes back, once each. Default: nobody. */
  readonly logger?: Logger
}

/** One server, as a URL named it. */
export interface Node {
  readonly host: string
  readonly port: number
  readonly username?: string
  readonly password?: string
  readonly db: number
  readonly tls?: { readonly servername?: string; readonly ca?: string }
}

/** {@link RedisOptions} with every default in place and every bound checked. */
export interface RedisSettings {
  readonly nodes: readonly [Node, ...Node[]]
  readonly isCluster: boolean
  readonly commandTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly maxPending: number
  readonly keyPrefix: string
  readonly logger: Logger
}

/** @throws {RangeError | TypeError} for a value out of bounds, showing it, and for a URL that is none, not showing it */
export function readRedisOptions(options: RedisOptions): RedisSettings {
  const urls = typeof options.url === 'string' ? [options.url] : options.url
  const [first, ...others] = urls.map((url) => toNode(url, options.ca))
  if (first === undefined) throw new TypeError('url is a URL or a list of at least one')
  const nodes = [first, ...others] as const
  assertOneCluster(nodes)
  return {
    nodes: [...nodes],
    isCluster: nodes.length > 1,
    commandTimeoutMs: wholeNumber('commandTimeoutMs', options.commandTimeoutMs ?? 100, 1, 10_000),
    connectTimeoutMs: wholeNumber('connectTimeoutMs', options.connectTimeoutMs ?? 1000, 1, 60_000),
    maxPending: wholeNumber('maxPending', options.maxPending ?? 10_000, 1, 1_000_000),
    keyPrefix: prefix(options.keyPrefix ?? ''),
    logger: options.logger ?? silentLogger,
  }
}

// Query parameters are refused: the driver would take each of them for an option of its own.
const form = 'redis://[user:password@]host[:port][/database], or the same with rediss://'

function toNode(text: unknown, ca: string | undefined): Node {
  const url = typeof text === 'string' ? URL.parse(text) : null
  const database = /^\/?(\d{0,5})$/.exec(url?.pathname ?? 'none')
  const isForm = url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== '' && database !== null
  if (!isForm || url.search !== '' || url.hash !== '') {
    throw new TypeError(`url has the form ${form}; the one received is not shown, it may hold a password`)
  }
  const host = url.hostname.replaceAll(/^\[|\]$/g, '')
  return {
    host,
    port: Number(url.port || 6379),
    ...(url.username === '' ? {} : { username: decoded(url.username) }),
    ...(url.password === '' ? {} : { password: decoded(url.password) }),
    db: Number(database[1] ?? 0),
    ...(url.protocol === 'redis:' ? {} : { tls: { ...serverName(host), ...(ca === undefined ? {} : { ca }) } }),
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new TypeError('url holds a user or password with a % that is not followed by two hexadecimal digits')
  }
}

/** An address is no name a server could be asked for (RFC 6066, section 3). */
function serverName(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {}
}

function assertOneCluster(nodes: readonly Node[]): void {
  const [first] = nodes
  if (first === undefined || nodes.length === 1) return
  const isAlike = ({ username, password, tls }: Node): boolean =>
    username === first.username && password === first.password && (tls === undefined) === (first.tls === undefined)
  if (!nodes.every(isAlike)) throw new TypeError('url: the nodes of a cluster share user, password and protocol')
  if (nodes.some(({ db }) => db !== 0)) throw new TypeError('url: a cluster has no database but 0')
}

function prefix(value: string): string {
  if (/^[\w:-]{0,64}$/.test(value)) return value
  throw new TypeError(`keyPrefix is ${shown(value)}; it must be at most 64 characters of [A-Za-z0-9:_-]`)
}
