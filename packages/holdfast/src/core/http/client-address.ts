import type { Logger } from '../../foundation/logger.ts'
import { wholeNumber } from '../../foundation/whole-number.ts'
import { type Cidr, formatIp, type Ip, isInside, parseCidr, parseIp, toNetworkKey } from './ip.ts'

/**
 * How requests reach this process, as its operators know it. Nothing that is not declared here is believed.
 *
 * - `'direct'`: clients connect to us; forwarding headers are ignored
 * - `{ trusted }`: our proxies live in these networks; the client is the rightmost `X-Forwarded-For` entry outside them
 * - `{ hops }`: exactly this many proxies stand before us; the client is that many entries from the right
 * - `{ header, trusted }`: one header that our provider overwrites, such as `cf-connecting-ip`, from its networks only
 */
export type Topology =
  | 'direct'
  | { readonly trusted: readonly string[]; readonly header?: undefined }
  | { readonly hops: number }
  | { readonly header: string; readonly trusted: readonly string[] }

export interface ClientAddress {
  /** The client's address in one spelling; `unknown` when the socket is already gone. */
  readonly address: string
  /** What limits count by: the address, or for IPv6 the network around it. */
  readonly key: string
  /** Whether the direct peer is a proxy of ours, whose request id may be taken over. */
  readonly isFromTrustedPeer: boolean
}

export type ResolveClient = (peer: string | undefined, headers: ForwardingHeaders) => ClientAddress
export type ForwardingHeaders = Readonly<Record<string, string | string[] | undefined>>

export interface ClientAddressOptions {
  /** Default `'direct'`. */
  readonly topology?: Topology
  /** Bits of an IPv6 address that stand for one client, 32–128. Default 64. */
  readonly ipv6PrefixBits?: number
  readonly logger?: Logger
}

const unknownClient: ClientAddress = { address: 'unknown', key: 'unknown', isFromTrustedPeer: false }
// Longer chains are forgeries: no request crosses this many proxies.
const maxForwardedEntries = 32
const maxRememberedPeers = 1024

/**
 * Makes the one function that says who a client is, the same on every edge. The frameworks' own settings disagree with
 * each other and are not consulted.
 *
 * @throws {TypeError | RangeError} for networks, hops or prefixes that make no sense
 */
export function createClientResolver(options: ClientAddressOptions = {}): ResolveClient {
  const { topology = 'direct', ipv6PrefixBits = 64, logger } = options
  wholeNumber('ipv6PrefixBits', ipv6PrefixBits, 32, 128)
  const find = compileTopology(topology)
  const detector = logger && createTopologyDetector(logger)
  const toClient = (ip: Ip, isFromTrustedPeer: boolean): ClientAddress => ({
    address: formatIp(ip),
    key: toNetworkKey(ip, ipv6PrefixBits),
    isFromTrustedPeer,
  })
  const readPeer = remember((text: string) => {
    const ip = parseIp(text)
    return ip && { ip, asClient: toClient(ip, false) }
  }, maxRememberedPeers)

  return (peerText, headers) => {
    const peer = peerText === undefined ? undefined : readPeer(peerText)
    if (peer === undefined) return unknownClient
    const { client, isFromTrustedPeer } = find(peer.ip, headers)
    // Whoever is not a proxy of ours speaks for nobody but itself.
    const resolved = isFromTrustedPeer ? toClient(client, true) : peer.asClient
    const forwarded = headers['x-forwarded-for']
    if (forwarded !== undefined) detector?.(resolved, String(forwarded))
    return resolved
  }
}

/** Gives known answers again; forgets all of them when there are too many, so that no flood of keys grows it. */
function remember<Key, Answer>(ask: (key: Key) => Answer, most: number): (key: Key) => Answer {
  const known = new Map<Key, Answer>()
  return (key) => {
    const answer = known.get(key)
    if (answer !== undefined) return answer
    if (known.size >= most) known.clear()
    const fresh = ask(key)
    known.set(key, fresh)
    return fresh
  }
}

type FindClient = (peer: Ip, headers: ForwardingHeaders) => { readonly client: Ip; readonly isFromTrustedPeer: boolean }

function compileTopology(topology: Topology): FindClient {
  if (topology === 'direct') return (peer) => ({ client: peer, isFromTrustedPeer: false })
  if ('hops' in topology) return byHops(topology.hops)
  const networks = topology.trusted.map(parseCidr)
  if (networks.length === 0) throw new TypeError('`trusted` names no network; write the networks your proxies live in')
  return topology.header === undefined ? byNetworks(networks) : byHeader(topology.header.toLowerCase(), networks)
}

function byHops(hops: number): FindClient {
  wholeNumber('hops', hops, 1, maxForwardedEntries)
  return (peer, headers) => {
    // A request with fewer entries than we have proxies did not come through them.
    const entry = forwardedEntries(headers).at(-hops)
    const client = entry === undefined ? undefined : parseIp(entry)
    return { client: client ?? peer, isFromTrustedPeer: client !== undefined }
  }
}

function byNetworks(networks: readonly Cidr[]): FindClient {
  const isTrusted = (ip: Ip): boolean => networks.some((network) => isInside(ip, network))
  return (peer, headers) => {
    if (!isTrusted(peer)) return { client: peer, isFromTrustedPeer: false }
    let client = peer
    for (const entry of forwardedEntries(headers).toReversed()) {
      const ip = parseIp(entry)
      // An entry that is no address was not written by a proxy of ours: what stands left of it is hearsay.
      if (ip === undefined) break
      client = ip
      if (!isTrusted(ip)) break
    }
    return { client, isFromTrustedPeer: true }
  }
}

function byHeader(header: string, networks: readonly Cidr[]): FindClient {
  return (peer, headers) => {
    const isFromTrustedPeer = networks.some((network) => isInside(peer, network))
    const value = isFromTrustedPeer ? headers[header] : undefined
    return { client: (typeof value === 'string' && parseIp(value)) || peer, isFromTrustedPeer }
  }
}

function forwardedEntries(headers: ForwardingHeaders): string[] {
  const header = headers['x-forwarded-for']
  if (header === undefined) return []
  return String(header).split(',').slice(-maxForwardedEntries)
}

const distinctForwardedBeforeWarning = 16
const maxWatchedKeys = 64

/**
 * Notices a topology that was declared wrongly: many forwarded addresses that end up as one client and so would share one
 * rate limit. Warns once per client and watches a bounded number of them.
 */
function createTopologyDetector(logger: Logger): (client: ClientAddress, forwarded: string) => void {
  const seen = new Map<string, Set<string> | 'warned'>()
  return ({ key, address }, forwarded) => {
    const known = seen.get(key)
    if (known === 'warned' || (known === undefined && seen.size >= maxWatchedKeys)) return
    const first = (forwarded.split(',', 1)[0] ?? '').trim().slice(0, 64)
    // The client itself, as the first proxy wrote it down.
    if (first === address) return
    const addresses = known ?? new Set<string>()
    addresses.add(first)
    const isWarning = addresses.size >= distinctForwardedBeforeWarning
    seen.set(key, isWarning ? 'warned' : addresses)
    if (!isWarning) return
    logger.warn(
      { client: address, forwardedAddresses: addresses.size },
      'Many X-Forwarded-For addresses count as one client. If a proxy speaks for them, declare it in `topology`; if not, somebody is forging the header.',
    )
  }
}
