import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import type { JsonObject } from './compact-token.ts'

/** A JSON Web Key as it is stored or published (RFC 7517). */
export type Jwk = Readonly<Record<string, unknown>>

export type AsymmetricAlgorithm =
  | 'Ed25519'
  | 'EdDSA'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'

/** What signatures of one `kid` are checked with: one key for one algorithm (RFC 8725 §3.1). */
export interface VerificationKey {
  readonly kid: string
  readonly alg: string
  readonly key: KeyObject
  /** Equal for equal keys of one algorithm. */
  readonly fingerprint: string
  /** True once its key set holds it no more; what it verified before is void. */
  isRetired: boolean
}

interface KeyShape {
  readonly kty: string
  readonly crv?: string
  /** The members that may be published (RFC 7518 §6, RFC 8037 §2). */
  readonly publicMembers: readonly string[]
}

const okp: KeyShape = { kty: 'OKP', crv: 'Ed25519', publicMembers: ['crv', 'x'] }
const ec = (crv: string): KeyShape => ({ kty: 'EC', crv, publicMembers: ['crv', 'x', 'y'] })
const rsa: KeyShape = { kty: 'RSA', publicMembers: ['n', 'e'] }

// A Map, because names come from tokens and key sets: `constructor` is not an algorithm.
const shapes: ReadonlyMap<string, KeyShape> = new Map<AsymmetricAlgorithm, KeyShape>([
  ['Ed25519', okp],
  ['EdDSA', okp],
  ['ES256', ec('P-256')],
  ['ES384', ec('P-384')],
  ['ES512', ec('P-521')],
  ['RS256', rsa],
  ['RS384', rsa],
  ['RS512', rsa],
  ['PS256', rsa],
  ['PS384', rsa],
  ['PS512', rsa],
])

/** RFC 7518 §3.3. The upper bound keeps a signature check affordable. */
const minRsaBits = 2048
const maxRsaBits = 8192

export const isAsymmetricAlgorithm = (value: unknown): value is AsymmetricAlgorithm =>
  typeof value === 'string' && shapes.has(value)

/** Whether the key is of the type and curve that the algorithm needs. */
export function fitsAlgorithm(jwk: Jwk, alg: AsymmetricAlgorithm): boolean {
  const shape = shapes.get(alg)!
  return jwk['kty'] === shape.kty && (shape.crv === undefined || jwk['crv'] === shape.crv)
}

/**
 * Reads the public half, whatever else the key holds.
 *
 * @returns what is wrong with the key, in words that hold nothing of it, when it can't be read
 */
export function readPublicKey(jwk: Jwk, kid: string, alg: AsymmetricAlgorithm): VerificationKey | string {
  if (!fitsAlgorithm(jwk, alg)) return `is not of the type that ${alg} needs`
  const key = toKeyObject(pick(jwk, ['kty', ...shapes.get(alg)!.publicMembers]), createPublicKey)
  if (key === undefined) return 'has public members that make no key'
  const flaw = rsaFlaw(key)
  if (flaw !== undefined) return flaw
  const spki = key.export({ format: 'der', type: 'spki' })
  return { kid, alg, key, fingerprint: `${alg} ${hash('sha256', spki, 'base64url')}`, isRetired: false }
}

/** The key as it may be published: named members, nothing else. */
export function toPublicJwk({ kid, alg, key }: VerificationKey): Jwk {
  const shape = shapes.get(alg)!
  const exported = key.export({ format: 'jwk' }) as Jwk
  return Object.freeze({ kty: shape.kty, kid, alg, use: 'sig', ...pick(exported, shape.publicMembers) })
}

/** `undefined` for members that make no key. What Node says of them may quote them, so it goes no further. */
export function toKeyObject(
  members: Readonly<Record<string, string>>,
  create: (input: { readonly key: Record<string, string>; readonly format: 'jwk' }) => KeyObject,
): KeyObject | undefined {
  try {
    return create({ key: { ...members }, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** The named members that are texts. */
export function pick(jwk: JsonObject, names: readonly string[]): Readonly<Record<string, string>> {
  const picked: Record<string, string> = {}
  for (const name of names) {
    const value = Object.hasOwn(jwk, name) ? jwk[name] : undefined
    if (typeof value === 'string') picked[name] = value
  }
  return picked
}

function rsaFlaw(key: KeyObject): string | undefined {
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {}
  if (modulusLength === undefined) return undefined
  if (modulusLength < minRsaBits || modulusLength > maxRsaBits) {
    return `has ${modulusLength} bits; RSA keys have ${minRsaBits} to ${maxRsaBits}`
  }
  // With the exponent 1 every message is its own signature.
  return publicExponent !== undefined && publicExponent < 3n ? 'has a public exponent under 3' : undefined
}
