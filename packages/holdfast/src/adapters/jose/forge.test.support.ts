import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { Jwk } from './jwk.ts'

export const base64url = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url')

/** Puts a token together from whatever texts, signed as `alg` says and whatever the header claims. */
export function forge(header: unknown, payload: unknown, alg: string, key: Jwk | string): string {
  const input = `${base64url(toText(header))}.${base64url(toText(payload))}`
  return `${input}.${signatureOf(input, alg, key)}`
}

export function signatureOf(input: string, alg: string, key: Jwk | string): string {
  if (typeof key === 'string') return createHmac('sha256', key).update(input).digest('base64url')
  if (alg === 'HS256') {
    return createHmac('sha256', Buffer.from(String(key['k']), 'base64url'))
      .update(input)
      .digest('base64url')
  }
  const privateKey = privateKeyOf(key)
  const bytes = Buffer.from(input)
  if (alg === 'ES256') return base64url(sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' }))
  return base64url(sign(alg === 'RS256' ? 'sha256' : null, bytes, privateKey))
}

// Reading an RSA key takes as long as signing with it.
const read = new WeakMap<Jwk, KeyObject>()

function privateKeyOf(jwk: Jwk): KeyObject {
  const key = read.get(jwk) ?? createPrivateKey({ key: { ...jwk } as Record<string, string>, format: 'jwk' })
  read.set(jwk, key)
  return key
}

/** Texts and bytes stay as they are, so that a test may write what no serialiser would. */
const toText = (value: unknown): string | Uint8Array =>
  typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value)

export function decodePart(token: string, part: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[part]!, 'base64url').toString()) as Record<string, unknown>
}

export const ecJwk = (kid: string): Jwk => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  kid,
  alg: 'ES256',
})

export const rsaJwk = (kid: string): Jwk => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid,
  alg: 'RS256',
})

export const withoutMembers = (value: Jwk, ...names: readonly string[]): Jwk =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))

export const privateMembers: readonly string[] = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']
