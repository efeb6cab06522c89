import { describe, expect, test } from 'vitest'
import { formatIp, isInside, parseCidr, parseIp, toNetworkKey } from './ip.ts'

const format = (text: string): string | undefined => {
  const ip = parseIp(text)
  return ip && formatIp(ip)
}

describe('given an address in any of its spellings', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7:443', '192.0.2.7'],
    [' 192.0.2.7 ', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:207', '192.0.2.7'],
    ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ])('when %s is read, it is %s', (text, expected) => {
    expect(format(text)).toBe(expected)
  })

  test.each([
    '',
    'unknown',
    '_hidden',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '[::1',
    'http://1.2.3.4',
    '1.2.3.4, 5.6.7.8',
    ':::',
  ])('when %j is read, it is no address', (text) => {
    expect(parseIp(text)).toBeUndefined()
  })
})

describe('given a network', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/9', '10.127.255.255', true],
    ['10.0.0.0/9', '10.128.0.0', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['203.0.0.0/8', '203.0.113.9', true],
    ['203.0.0.0/8', '2001:db8::1', false],
    ['fc00::/7', 'fd12::1', true],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['::1/128', '::1', true],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
  ])('when %s is asked for %s, the answer is %s', (network, address, expected) => {
    expect(isInside(parseIp(address) ?? [], parseCidr(network))).toBe(expected)
  })

  test.each([
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8.5',
    '2001:db8::/129',
    'ten',
    '10.0.0.0:80/8',
    '10.0.0.0/8/9',
    '0.0.0.0/0',
    '0.0.0.0/1',
    '10.0.0.0/7',
    '::/0',
    'fc00::/6',
  ])('when it is written %j, it is refused with what it says', (text) => {
    expect(() => parseCidr(text)).toThrow(text)
  })
})

describe('given a key that limits count by', () => {
  test.each([
    ['192.0.2.7', 64, '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2::/64'],
    ['2001:db8:1:2:3:4:5:6', 56, '2001:db8:1::/56'],
    ['2001:db8:1:fff2:3:4:5:6', 56, '2001:db8:1:ff00::/56'],
    ['2001:db8:1:2:3:4:5:6', 128, '2001:db8:1:2:3:4:5:6/128'],
  ])('when %s is cut to %i bits, it is %s', (address, bits, expected) => {
    expect(toNetworkKey(parseIp(address) ?? [], bits)).toBe(expected)
  })
})
