import { describe, expect, test } from 'vitest'
import type { Logger } from '../../foundation/logger.ts'
import { silentLogger } from '../../foundation/logger.ts'
import { createClientResolver, type Topology } from './client-address.ts'

const resolve = (topology: Topology, peer: string, forwarded?: string, others: Record<string, string> = {}): string =>
  createClientResolver({ topology })(peer, {
    ...others,
    ...(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }),
  }).address

describe('given clients that connect directly', () => {
  test('when one forges a forwarding header, it is not believed', () => {
    const client = createClientResolver()('203.0.113.9', {
      'x-forwarded-for': '1.1.1.1',
      'x-real-ip': '1.1.1.1',
      forwarded: 'for=1.1.1.1',
    })
    expect(client).toEqual({ address: '203.0.113.9', key: '203.0.113.9', isFromTrustedPeer: false })
  })

  test('when the socket is gone, the client is unknown and one key', () => {
    expect(createClientResolver()(undefined, {}).key).toBe('unknown')
  })

  test('when two addresses share an IPv6 network, they share a key', () => {
    const find = createClientResolver()
    expect(find('2001:db8::1', {}).key).toBe(find('2001:db8::ffff', {}).key)
    expect(find('2001:db8::1', {}).key).not.toBe(find('2001:db8:0:1::1', {}).key)
  })
})

describe('given proxies in known networks', () => {
  const topology: Topology = { trusted: ['10.0.0.0/8', 'fd00::/8'] }

  test.each([
    ['10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    ['::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '2001:db8::7', '2001:db8::7'],
    ['10.0.0.1', '10.0.0.5, 10.0.0.2', '10.0.0.5'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '203.0.113.9, unknown', '10.0.0.1'],
    ['203.0.113.7', '1.1.1.1', '203.0.113.7'],
  ])('when %s forwards %s, the client is %s', (peer, forwarded, expected) => {
    expect(resolve(topology, peer, forwarded)).toBe(expected)
  })

  test('when thousands of entries are forged, only the last few are read', () => {
    const forged = `${'1.1.1.1,'.repeat(5000)}203.0.113.9`
    expect(resolve(topology, '10.0.0.1', forged)).toBe('203.0.113.9')
  })
})

describe('given a fixed number of proxies', () => {
  test('when a request has fewer entries than there are proxies, it came around them and its request id is not taken', () => {
    const find = createClientResolver({ topology: { hops: 2 } })
    expect(find('10.0.0.1', { 'x-forwarded-for': '203.0.113.9' }).isFromTrustedPeer).toBe(false)
    expect(find('10.0.0.1', { 'x-forwarded-for': '203.0.113.9, 10.0.0.2' }).isFromTrustedPeer).toBe(true)
  })

  test.each([
    [1, '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    [2, '1.1.1.1, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    [2, '203.0.113.9', '10.0.0.1'],
    [1, 'garbage', '10.0.0.1'],
  ])('when there are %i and %s was forwarded, the client is %s', (hops, forwarded, expected) => {
    expect(resolve({ hops }, '10.0.0.1', forwarded)).toBe(expected)
  })
})

describe("given a provider's own header", () => {
  const topology: Topology = { header: 'CF-Connecting-IP', trusted: ['173.245.48.0/20'] }

  test('when the provider sends it, it is believed', () => {
    expect(resolve(topology, '173.245.48.1', '9.9.9.9', { 'cf-connecting-ip': '203.0.113.9' })).toBe('203.0.113.9')
  })

  test('when anybody else sends it, it is not', () => {
    expect(resolve(topology, '203.0.113.7', undefined, { 'cf-connecting-ip': '1.1.1.1' })).toBe('203.0.113.7')
  })
})

describe('given a topology that makes no sense', () => {
  test.each([[{ hops: 0 }], [{ hops: Number.NaN }], [{ hops: 1.5 }], [{ trusted: [] }], [{ trusted: ['ten'] }]] as [
    Topology,
  ][])('when it is %j, it is refused at boot', (topology) => {
    expect(() => createClientResolver({ topology })).toThrow(/./)
  })
})

describe('given a proxy that nobody declared', () => {
  const warnings: unknown[] = []
  const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) }

  test('when it speaks for many clients, that is said once', () => {
    const find = createClientResolver({ logger })
    for (let last = 0; last < 200; last++) find('10.0.0.1', { 'x-forwarded-for': `203.0.113.${last}` })
    expect(warnings).toEqual([{ client: '10.0.0.1', forwardedAddresses: 16 }])
  })

  test.each<[string, Topology, (last: number) => Record<string, string>]>([
    [
      'an outer proxy is not declared',
      { trusted: ['10.0.0.1'] },
      (last) => ({ 'x-forwarded-for': `203.0.113.${last}, 172.16.0.1` }),
    ],
    [
      'the provider does not send its header',
      { header: 'x-client', trusted: ['10.0.0.1'] },
      (last) => ({ 'x-forwarded-for': `203.0.113.${last}` }),
    ],
    [
      'there are more hops than declared',
      { hops: 1 },
      (last) => ({ 'x-forwarded-for': `203.0.113.${last}, 172.16.0.9` }),
    ],
  ])('when %s, that is said once', (_what, topology, headersOf) => {
    warnings.length = 0
    const find = createClientResolver({ topology, logger })
    for (let last = 0; last < 200; last++) find('10.0.0.1', headersOf(last))
    expect(warnings).toHaveLength(1)
  })

  test('when the topology is right, nothing is said', () => {
    warnings.length = 0
    const find = createClientResolver({ topology: { trusted: ['10.0.0.1'] }, logger })
    for (let last = 0; last < 200; last++) find('10.0.0.1', { 'x-forwarded-for': `203.0.113.${last}` })
    expect(warnings).toEqual([])
  })

  test('when one client forwards one address again and again, nothing is said', () => {
    warnings.length = 0
    const find = createClientResolver({ logger })
    for (let times = 0; times < 200; times++) find('10.0.0.1', { 'x-forwarded-for': '203.0.113.1' })
    expect(warnings).toEqual([])
  })
})
