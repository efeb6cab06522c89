import { randomBytes } from 'node:crypto'
import { format, inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Secret } from './secret.ts'
import { isWeakSecret, secretWeakness } from './secret-strength.ts'

const canary = 'canary-7d1f9e-do-not-print'

describe('given a Secret', () => {
  const secret = new Secret(canary)

  test.each<[string, () => string]>([
    ['a template literal', () => `${secret}`],
    ['concatenation', () => '' + (secret as unknown as string)],
    ['String()', () => String(secret)],
    ['JSON', () => JSON.stringify({ secret, list: [secret] })],
    ['inspect', () => inspect({ secret }, { depth: 9, showHidden: true })],
    ['inspect without custom inspection', () => inspect(secret, { customInspect: false, showHidden: true })],
    ['console formatting', () => format('%s %o %O %j', secret, secret, secret, secret)],
    ['a clone', () => inspect(structuredClone(secret), { showHidden: true })],
    ['its own keys', () => Reflect.ownKeys(secret).map(String).join() + inspect(Object.entries(secret))],
    ['a spread', () => JSON.stringify({ ...secret })],
    ['an error that names it', () => inspect(new Error(`no luck with ${secret}`, { cause: secret }))],
    ['a number', () => String(Number(secret))],
  ])('when printed by %s, the text does not show', (_name, print) => {
    expect(print()).not.toContain(canary)
  })

  test('when revealed, it gives the text', () => {
    expect(secret.reveal()).toBe(canary)
  })

  test('when somebody tries to change it, it stays as it was', () => {
    expect(() => Object.assign(secret, { reveal: () => 'mine' })).toThrow(TypeError)
    expect(secret.reveal()).toBe(canary)
  })

  test('when made of something else, the refusal does not show it', () => {
    expect(() => new Secret({ canary } as unknown as string)).toThrow('A Secret wraps a string, not object')
  })
})

describe('given a text meant as a key', () => {
  test.each([
    ['short', 'aB3$kd9!', 'too short: 8 bytes'],
    ['of one letter', 'a'.repeat(40), 'too few different'],
    ['a repeated word', 'Tr0ub4dor&3x'.repeat(4), 'repeats'],
    ['a repeated word, cut', 'password1234password1234password1234pass', 'repeats'],
    ['the alphabet', 'abcdefghijklmnopqrstuvwxyz0123456789', 'alphabet'],
    ['an example', 'your-256-bit-secret-goes-here-please-do', 'placeholder'],
    ['an example in capitals', 'PLEASE-CHANGEME-before-you-go-live-4711', 'placeholder'],
    ['padded with spaces', 'hunter2' + ' '.repeat(40), 'runs through'],
  ])('when it is %s, it counts as weak and the reason does not show it', (_name, text, reason) => {
    expect(secretWeakness(text)).toContain(reason)
    expect(secretWeakness(text)).not.toContain(text)
    expect(isWeakSecret(text)).toBe(true)
  })

  test('when it is random, it passes in every usual writing', () => {
    for (let round = 0; round < 2_000; round++) {
      for (const encoding of ['hex', 'base64', 'base64url'] as const) {
        const text = randomBytes(32).toString(encoding)
        expect(secretWeakness(text), text).toBeUndefined()
      }
    }
  })

  test('when it holds letters of several bytes, bytes are counted and not letters', () => {
    expect(isWeakSecret('äöüßéèêëàâîïôûùç', 32)).toBe(false)
    expect(isWeakSecret('abcdefgikmoqsuwy', 32)).toBe(true)
  })
})
