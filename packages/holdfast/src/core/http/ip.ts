import { isIP } from 'node:net'

/** An IP address as bytes: 4 for IPv4, 16 for IPv6. IPv4 mapped into IPv6 is IPv4, told by its bits and not its spelling. */
export type Ip = readonly number[]

export interface Cidr {
  readonly network: Ip
  readonly prefixBits: number
}

/** Reads one address as it stands in a socket or a forwarding header: brackets, a port and a zone are left out. */
export function parseIp(text: string): Ip | undefined {
  const bare = stripPort(text.trim())
  const family = isIP(bare)
  if (family === 4) return parseIpv4(bare)
  if (family === 6) return unmap(parseIpv6(bare))
  return undefined
}

function stripPort(text: string): string {
  const bracket = text.startsWith('[') ? text.indexOf(']') : -1
  if (bracket > 0) return text.slice(1, bracket)
  const colon = text.indexOf(':')
  return colon > 0 && colon === text.lastIndexOf(':') ? text.slice(0, colon) : text
}

const parseIpv4 = (text: string): number[] => text.split('.').map(Number)

function parseIpv6(text: string): number[] {
  const zone = text.indexOf('%')
  const bare = zone < 0 ? text : text.slice(0, zone)
  const [head = '', tail] = bare.split('::')
  const front = toBytes(head)
  if (tail === undefined) return front
  const back = toBytes(tail)
  return [...front, ...Array<number>(16 - front.length - back.length).fill(0), ...back]
}

function toBytes(groups: string): number[] {
  if (groups === '') return []
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return parseIpv4(group)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

function unmap(ip: number[]): Ip {
  const isMapped = ip.slice(0, 10).every((byte) => byte === 0) && ip[10] === 0xff && ip[11] === 0xff
  return isMapped ? ip.slice(12) : ip
}

/**
 * @param text - `10.0.0.0/8`, `2001:db8::/32`, or one address
 * @throws {TypeError} for anything else, showing it
 */
export function parseCidr(text: string): Cidr {
  const [address = '', prefix, ...more] = text.split('/')
  const network = parseIp(address)
  const widest = (network?.length ?? 0) * 8
  const prefixBits = prefix === undefined ? widest : Number(prefix)
  const isWhole = /^\d+$/.test(prefix ?? '0') && prefixBits <= widest
  if (network === undefined || isIP(address) === 0 || !isWhole || more.length > 0) {
    throw new TypeError(`"${text}" is no network; write it as 10.0.0.0/8 or 2001:db8::/32`)
  }
  if (prefixBits < (network.length === 4 ? 8 : 7)) {
    throw new TypeError(`"${text}" is wider than any network of one's own; whoever is in it could pass for anybody`)
  }
  return { network, prefixBits }
}

export function isInside(ip: Ip, { network, prefixBits }: Cidr): boolean {
  if (ip.length !== network.length) return false
  const wholeBytes = prefixBits >> 3
  for (let at = 0; at < wholeBytes; at++) if (ip[at] !== network[at]) return false
  const restBits = prefixBits & 7
  if (restBits === 0) return true
  const mask = (0xff << (8 - restBits)) & 0xff
  return ((ip[wholeBytes] ?? 0) & mask) === ((network[wholeBytes] ?? 0) & mask)
}

/** The one spelling of an address that logs and keys use. */
export function formatIp(ip: Ip): string {
  if (ip.length === 4) return ip.join('.')
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push((((ip[at] ?? 0) << 8) | (ip[at + 1] ?? 0)).toString(16))
  return compress(groups)
}

/** Writes the longest run of zero groups as `::` (RFC 5952, section 4.2). */
function compress(groups: readonly string[]): string {
  let best = { at: 0, length: 0 }
  for (let at = 0; at < groups.length; at++) {
    let length = 0
    while (groups[at + length] === '0') length++
    if (length > best.length) best = { at, length }
  }
  if (best.length < 2) return groups.join(':')
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`
}

/** The address itself for IPv4; for IPv6 the network of `prefixBits`, because one customer owns all of it. */
export function toNetworkKey(ip: Ip, prefixBits: number): string {
  if (ip.length === 4) return formatIp(ip)
  const masked = ip.map((byte, at) => byte & (0xff << Math.min(8, Math.max(0, 8 - (prefixBits - at * 8)))) & 0xff)
  return `${formatIp(masked)}/${prefixBits}`
}
