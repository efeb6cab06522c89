import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { calculateJwkThumbprint, createLocalJWKSet, type JWK, jwtVerify, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { privateMembers, withoutMembers } from './forge.test.support.ts'
import type { Jwk } from './jwk.ts'
import { createKeySet, generateKey, jwksText } from './key-set.ts'

const ecKey = (namedCurve: string): Jwk =>
  generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'jwk' })
const rsaKey = (modulusLength: number): Jwk =>
  generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ format: 'jwk' })

const ed25519 = generateKey()
const es256 = { ...ecKey('P-256'), kid: 'ec', alg: 'ES256' }
const rs256 = { ...rsaKey(2048), kid: 'rsa', alg: 'RS256' }
const ps256 = { ...rsaKey(2048), kid: 'pss', alg: 'PS256' }
const hs256 = { kty: 'oct', kid: 'shared', alg: 'HS256', k: randomBytes(32).toString('base64url') }
const all = [ed25519, es256, rs256, ps256, hs256]
const toPublic = (jwk: Jwk): Jwk => withoutMembers(jwk, ...privateMembers)

describe('given a key set', () => {
  test('when its keys are read, the first signs and all are found by their id', () => {
    const keys = createKeySet({ keys: all })
    expect(keys.signer).toMatchObject({ kid: ed25519['kid'], alg: 'Ed25519' })
    for (const { kid, alg } of all) expect(keys.find(String(kid))).toMatchObject({ kid, alg })
    for (const kid of ['', 'other', '__proto__', 'constructor', 'toString', 'EC'])
      expect(keys.find(kid)).toBeUndefined()
  })

  test('when it comes as text, it is read alike', () => {
    expect(createKeySet(JSON.stringify({ keys: all })).publicJwks()).toEqual(createKeySet({ keys: all }).publicJwks())
  })

  test('when it is published, no private member is there, no shared secret and nothing unknown', () => {
    const keys = createKeySet({ keys: all.map((jwk) => ({ ...jwk, note: 'internal', ext: true, oth: [] })) })
    const published = JSON.parse(jwksText(keys)) as { keys: Jwk[] }
    expect(published.keys.map((jwk) => [jwk['kid'], Object.keys(jwk).toSorted().join()])).toEqual([
      [ed25519['kid'], 'alg,crv,kid,kty,use,x'],
      ['ec', 'alg,crv,kid,kty,use,x,y'],
      ['rsa', 'alg,e,kid,kty,n,use'],
      ['pss', 'alg,e,kid,kty,n,use'],
    ])
    const text = jwksText(keys) + inspect(keys, { depth: 9, showHidden: true }) + JSON.stringify(keys)
    for (const secret of secretsOf(all)) expect(text).not.toContain(secret)
  })

  test('when a stranger verifies by what is published, the tokens of each key are good', async () => {
    for (const jwk of [ed25519, es256, rs256, ps256]) {
      const { alg, kid, key } = createKeySet({ keys: [jwk] }).signer
      const token = await new SignJWT({ a: 1 }).setProtectedHeader({ alg, kid }).sign(key)
      const published = JSON.parse(jwksText(createKeySet({ keys: [hs256, jwk] }))) as { keys: JWK[] }
      expect((await jwtVerify(token, createLocalJWKSet(published))).payload).toEqual({ a: 1 })
    }
  })

  test('when a public half follows the signer, it verifies', () => {
    const keys = createKeySet({ keys: [ed25519, toPublic(es256), toPublic(rs256)] })
    expect(keys.find('ec')?.alg).toBe('ES256')
    expect(keys.publicJwks().keys).toHaveLength(3)
  })

  test('when it is replaced by one with a fault, the old one stays whole', () => {
    const keys = createKeySet({ keys: [ed25519, es256] })
    const before = keys.find('ec')
    expect(() => keys.replace({ keys: [es256, es256] })).toThrow(TypeError)
    expect(keys.signer.kid).toBe(ed25519['kid'])
    expect(keys.find('ec')).toBe(before)
    expect(before?.isRetired).toBe(false)
  })

  test('when it is replaced, keys that stay are the same ones and those that go are retired', () => {
    const keys = createKeySet({ keys: [ed25519, es256] })
    const [staying, going] = [keys.find('ec'), keys.find(String(ed25519['kid']))]
    keys.replace({ keys: [rs256, toPublic(es256)] })
    expect(keys.find('ec')).toBe(staying)
    expect([staying?.isRetired, going?.isRetired]).toEqual([false, true])
    expect(keys.find(String(ed25519['kid']))).toBeUndefined()
    expect(keys.signer.kid).toBe('rsa')
  })

  test('when another key takes over an id, what the old one verified is void', () => {
    const keys = createKeySet({ keys: [{ ...generateKey(), kid: 'same' }] })
    const before = keys.find('same')
    keys.replace({ keys: [{ ...generateKey(), kid: 'same' }] })
    expect(before?.isRetired).toBe(true)
    expect(keys.find('same')?.isRetired).toBe(false)
  })
})

describe('given keys nobody should use', () => {
  const secret = (k: string) => ({ ...hs256, k })
  const bytes = (text: string): string => Buffer.from(text).toString('base64url')
  const small = { ...rsaKey(1024), kid: 'small', alg: 'RS256' }

  test.each<[string, unknown, string]>([
    ['no object', 'nothing', 'is not JSON'],
    ['half a text', JSON.stringify({ keys: [ed25519] }).slice(0, -9), 'is not JSON'],
    ['null', null, 'list of keys'],
    ['a single key', ed25519, 'list of keys'],
    ['a list', [ed25519], 'list of keys'],
    ['no keys', { keys: [] }, 'has 0'],
    ['too many', { keys: Array.from({ length: 21 }, () => ed25519) }, 'has 21'],
    ['a text among them', { keys: ['x'] }, 'Key 1 is no object'],
    ['no kid', { keys: [withoutMembers(ed25519, 'kid')] }, 'kid'],
    ['a kid that is a path', { keys: [{ ...ed25519, kid: '../../dev/null' }] }, 'kid'],
    ['a kid that is SQL', { keys: [{ ...ed25519, kid: "x' or '1'='1" }] }, 'kid'],
    ['an empty kid', { keys: [{ ...ed25519, kid: '' }] }, 'kid'],
    ['a kid of a number', { keys: [{ ...ed25519, kid: 1 }] }, 'kid'],
    ['two of one kid', { keys: [ed25519, { ...es256, kid: ed25519['kid'] }] }, 'Key 2 has the kid'],
    ['one key twice', { keys: [ed25519, { ...ed25519, kid: 'b' }] }, 'one algorithm'],
    ['one key, two algorithms', { keys: [rs256, { ...rs256, kid: 'b', alg: 'PS256' }] }, 'one algorithm'],
    ['one secret twice', { keys: [hs256, { ...hs256, kid: 'b' }] }, 'one algorithm'],
    ['no alg', { keys: [withoutMembers(ed25519, 'alg')] }, 'no alg'],
    ['alg none', { keys: [{ ...ed25519, alg: 'none' }] }, 'not taken'],
    ['alg of a prototype', { keys: [{ ...ed25519, alg: 'constructor' }] }, 'not taken'],
    ['an alg for encryption', { keys: [{ ...rs256, alg: 'RSA-OAEP' }] }, 'not taken'],
    ['an alg of another type', { keys: [{ ...ed25519, alg: 'ES256' }] }, 'type that ES256'],
    ['HS256 with a public key', { keys: [{ ...ed25519, alg: 'HS256' }] }, 'type that HS256'],
    ['another curve', { keys: [{ ...ecKey('P-384'), kid: 'a', alg: 'ES256' }] }, 'type'],
    ['a public signer', { keys: [toPublic(ed25519)] }, 'private'],
    ['use enc', { keys: [{ ...ed25519, use: 'enc' }] }, 'use'],
    ['key_ops without sign', { keys: [{ ...ed25519, key_ops: ['verify'] }] }, 'key_ops'],
    ['key_ops that is no list', { keys: [{ ...ed25519, key_ops: 'sign' }] }, 'key_ops'],
    ['a short RSA key', { keys: [small] }, '1024 bits'],
    ['a broken public half', { keys: [{ ...ed25519, x: 'AAAA' }] }, 'public members'],
    ['a public half of another', { keys: [{ ...ed25519, x: generateKey()['x'] }] }, 'of its public half'],
    ['an EC half of another', { keys: [{ ...es256, d: ecKey('P-256')['d'] }] }, 'private'],
    ['an RSA half of another', { keys: [{ ...rs256, n: ps256['n' as keyof typeof ps256] }] }, 'private'],
    ['a private member that is a number', { keys: [{ ...ed25519, d: 123_456_789 }] }, 'private members'],
    ['a private member that is null', { keys: [{ ...ed25519, d: null }] }, 'private members'],
    ['a secret of 31 bytes', { keys: [secret(randomBytes(31).toString('base64url'))] }, '31 bytes'],
    ['a secret that is a number', { keys: [{ ...hs256, k: 5 }] }, 'base64url'],
    ['a secret in another alphabet', { keys: [secret(`${hs256.k}+/=`)] }, 'base64url'],
    ['a secret of one letter', { keys: [secret(bytes('a'.repeat(64)))] }, 'too few different'],
    ['a secret from a tutorial', { keys: [secret(bytes('your-256-bit-secret-goes-right-here-ok'))] }, 'placeholder'],
  ])('when given %s, it says so and shows nothing of it', (_, jwks, reason) => {
    const error = errorOf(() => createKeySet(jwks as { keys: Jwk[] }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(reason)
    expect(error.cause).toBeUndefined()
    for (const text of secretsOf([...all, small, { k: '123456789' }])) expect(inspect(error)).not.toContain(text)
  })
})

describe('given a new key', () => {
  test('when it is made, it is private, its own, and named by its thumbprint', async () => {
    const [a, b] = [generateKey(), generateKey()]
    expect(a['kid']).not.toBe(b['kid'])
    expect(a['kid']).toBe(await calculateJwkThumbprint(a as JWK))
    expect(a).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'Ed25519', use: 'sig' })
    expect(createKeySet({ keys: [a, b] }).signer.kid).toBe(a['kid'])
  })

  test('when it is told to be EdDSA, by its older name, it is taken as that', () => {
    expect(createKeySet({ keys: [{ ...generateKey(), alg: 'EdDSA' }] }).publicJwks().keys[0]).toMatchObject({
      alg: 'EdDSA',
    })
  })
})

function errorOf(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was refused')
}

/** Private members, and what a message might quote of them. */
function secretsOf(jwks: readonly Jwk[]): string[] {
  return jwks.flatMap((jwk) =>
    privateMembers.flatMap((name) => {
      const value = jwk[name]
      if (typeof value !== 'string') return []
      return [value, value.slice(0, 12), createHash('sha256').update(value).digest('base64url')]
    }),
  )
}
