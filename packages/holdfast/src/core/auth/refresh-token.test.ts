import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  hashFamily,
  hashToken,
  newRefreshToken,
  openSuccessor,
  readRefreshToken,
  sealSuccessor,
} from './refresh-token.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('given a refresh token', () => {
  const id = randomUUID()
  const token = newRefreshToken(id)

  test('when it is read, it says where it belongs', () => {
    const read = readRefreshToken(token.text)

    expect(token.text).toMatch(/^hfr_[\w-]{86}$/)
    expect(read).toMatchObject({ text: token.text, sessionId: id })
    expect(hex(hashFamily(read!))).toBe(hex(hashFamily(token)))
    expect(hex(hashToken(read!))).toBe(hex(hashToken(token)))
  })

  test('when a thousand are made, no two share a part of their secrets', () => {
    const tokens = Array.from({ length: 1000 }, () => newRefreshToken(id))

    expect(new Set(tokens.map((one) => hex(one.family))).size).toBe(1000)
    expect(new Set(tokens.map((one) => one.text.slice(-43))).size).toBe(1000)
  })

  test('when a successor is made, family and session stay and the rest is new', () => {
    const next = newRefreshToken(token.sessionId, token.family)

    expect(hex(hashFamily(next))).toBe(hex(hashFamily(token)))
    expect(next.sessionId).toBe(id)
    expect(next.text.slice(4, 46)).toBe(token.text.slice(4, 46))
    expect(next.text).not.toBe(token.text)
  })

  test.each([
    ['nothing', undefined],
    ['an object', { length: 90 }],
    ['empty text', ''],
    ['another prefix', token.text.replace('hfr_', 'hfk_')],
    ['one character less', token.text.slice(0, -1)],
    ['one character more', `${token.text}A`],
    ['a space before', ` ${token.text.slice(1)}`],
    ['a line break at the end', `${token.text.slice(0, -1)}\n`],
    ['padding', `${token.text.slice(0, -1)}=`],
    ['characters of plain base64', `${token.text.slice(0, 20)}+/${token.text.slice(22)}`],
    ['another spelling of the last bits', `${token.text.slice(0, -1)}B`],
    ['a megabyte', `hfr_${'A'.repeat(1_000_000)}`],
  ])('when it is %s, it is none of ours', (_, text) => {
    expect(readRefreshToken(text)).toBeUndefined()
  })
})

describe('given a sealed successor', () => {
  const presented = newRefreshToken(randomUUID())
  const successor = newRefreshToken(presented.sessionId, presented.family)

  test('when it is opened with the token before it, it is the successor', () => {
    expect(openSuccessor(presented, sealSuccessor(presented, successor)).text).toBe(successor.text)
  })

  test('when it is sealed twice, it looks different', () => {
    expect(hex(sealSuccessor(presented, successor))).not.toBe(hex(sealSuccessor(presented, successor)))
  })

  test('when it is looked at, none of its secret is to be seen', () => {
    const sealed = hex(sealSuccessor(presented, successor))
    const secret = Buffer.from(successor.text.slice(4), 'base64url').subarray(32)

    for (let from = 0; from + 4 <= secret.length; from += 4) {
      expect(sealed).not.toContain(secret.subarray(from, from + 4).toString('hex'))
    }
  })

  test('when it is opened with another token, even of its family, or was changed, it does not open', () => {
    const sealed = sealSuccessor(presented, successor)
    const sibling = newRefreshToken(presented.sessionId, presented.family)

    expect(() => openSuccessor(sibling, sealed)).toThrow()
    expect(() => openSuccessor(successor, sealed)).toThrow()
    expect(() => openSuccessor(presented, sealed.subarray(1))).toThrow(/length/)
    for (const place of [0, 12, 43, 44, 59]) {
      const changed = Uint8Array.from(sealed)
      changed[place]! ^= 1
      expect(() => openSuccessor(presented, changed), `byte ${place}`).toThrow()
    }
  })
})
