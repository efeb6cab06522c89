import { createPrivateKey, createSecretKey, generateKeyPairSync, hash, type KeyObject, sign, verify } from 'node:crypto'
import { secretWeakness } from '../../core/config/secret-strength.ts'
import { isObject } from './compact-token.ts'
import {
  type AsymmetricAlgorithm,
  type Jwk,
  pick,
  readPublicKey,
  toKeyObject,
  toPublicJwk,
  type VerificationKey,
} from './jwk.ts'

/** Private keys as JSON text or parsed: `{ keys: [{ kty, kid, alg, … }] }`. */
export type PrivateJwks = string | { readonly keys: readonly Jwk[] }

/** What may be published: no private member, no shared secret. */
export interface PublicJwks {
  readonly keys: readonly Jwk[]
}

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly key: KeyObject
}

/** The keys a service signs and verifies its access tokens with. */
export interface KeySet {
  /** What new tokens are signed with: the first key. */
  readonly signer: SigningKey
  /** The key of that id, whichever place it has. */
  find(kid: string): VerificationKey | undefined
  /**
   * Puts other keys in place, in one step and with no process restarted. Tokens of keys that stay are good throughout;
   * tokens of keys that go are refused at once, cached or not. A set with a fault is refused and the old one stays.
   *
   * To rotate without refusing anybody, let each step reach every process before the next:
   *
   * 1. append the new key (`[old, new]`): all verify it, none signs with it yet;
   * 2. wait until those who read the published set have it (their cache, often 10 minutes);
   * 3. move it to the front (`[new, old]`): all sign with it, and what `old` signed is still good;
   * 4. after the longest lifetime of a token, drop `old` (`[new]`).
   *
   * A key that leaked is dropped at once (`[new]`): its holders refresh.
   *
   * @throws {TypeError} as {@link createKeySet} does
   */
  replace(jwks: PrivateJwks): void
  /** The public halves, for `/.well-known/jwks.json`; shared secrets are left out. */
  publicJwks(): PublicJwks
}

/** What own keys may be made for, and the private members of such a key. */
const privateMembers: ReadonlyMap<string, readonly string[]> = new Map([
  ['Ed25519', ['d']],
  ['EdDSA', ['d']],
  ['ES256', ['d']],
  ['RS256', ['d', 'p', 'q', 'dp', 'dq', 'qi']],
  ['PS256', ['d', 'p', 'q', 'dp', 'dq', 'qi']],
])
const publicMembers = ['kty', 'crv', 'x', 'y', 'n', 'e']
const accepted = [...privateMembers.keys(), 'HS256'].join(', ')

const maxKeys = 20
/** RFC 7518 §3.2: a key of the size of the hash or larger. */
const minSecretBytes = 32
/** It is written into each token and looked up from it: no path, quote or space, and no more than a thumbprint needs. */
const kidForm = /^[\w.~:-]{1,128}$/

/**
 * The keys of a service. Each has a `kid` and one `alg` of Ed25519 (or EdDSA, its older name), ES256, RS256 and PS256
 * (2048 bits or more), or HS256 (`oct`, 32 bytes or more, never published). The first signs and is private; the others
 * verify and may be public halves.
 *
 * @param jwks - JSON Web Keys as JSON text or parsed, 1 to 20. Make one with {@link generateKey}
 * @throws {TypeError} when a key is broken, weak, without `kid` or `alg`, or when two share a `kid`. The message names
 *   the key by its place and holds nothing of it
 * @see RFC 7517, RFC 8037, RFC 8725 §3.1
 */
export function createKeySet(jwks: PrivateJwks): KeySet {
  return new ReplaceableKeySet(jwks)
}

/** A new private key for Ed25519, named by its thumbprint (RFC 7638). Keep it as you keep a password. */
export function generateKey(): Jwk {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { crv, d, kty, x } = privateKey.export({ format: 'jwk' })
  const kid = hash('sha256', JSON.stringify({ crv, kty, x }), 'base64url')
  return { kty, kid, alg: 'Ed25519', use: 'sig', crv, x, d }
}

/** The public keys as JSON, to be served as `/.well-known/jwks.json` with the type `application/jwk-set+json`. */
export function jwksText(keys: Pick<KeySet, 'publicJwks'>): string {
  return JSON.stringify(keys.publicJwks())
}

interface ReadKeySet {
  readonly signer: SigningKey
  readonly byKid: ReadonlyMap<string, VerificationKey>
  readonly published: PublicJwks
}

class ReplaceableKeySet implements KeySet {
  #current: ReadKeySet

  constructor(jwks: PrivateJwks) {
    this.#current = readKeySet(jwks, new Map())
  }

  get signer(): SigningKey {
    return this.#current.signer
  }

  find(kid: string): VerificationKey | undefined {
    return this.#current.byKid.get(kid)
  }

  replace(jwks: PrivateJwks): void {
    const before = this.#current.byKid
    this.#current = readKeySet(jwks, before)
    retireAllBut(this.#current.byKid, before)
  }

  publicJwks(): PublicJwks {
    return this.#current.published
  }
}

/** Marks the keys that went, so that nothing they verified is believed any longer. */
export function retireAllBut(
  current: ReadonlyMap<string, VerificationKey>,
  before: ReadonlyMap<string, VerificationKey>,
): void {
  for (const key of before.values()) if (current.get(key.kid) !== key) key.isRetired = true
}

/** The key that was there before when it is the same one, so that what it verified stays verified. */
export function keepSame(key: VerificationKey, before: ReadonlyMap<string, VerificationKey>): VerificationKey {
  const known = before.get(key.kid)
  return known?.fingerprint === key.fingerprint ? known : key
}

function readKeySet(jwks: PrivateJwks, before: ReadonlyMap<string, VerificationKey>): ReadKeySet {
  const byKid = new Map<string, VerificationKey>()
  const published: Jwk[] = []
  const materials = new Set<string>()
  let signer: SigningKey | undefined
  for (const [index, jwk] of listKeys(jwks).entries()) {
    const place = `Key ${index + 1}`
    const read = readKey(jwk, place)
    if (byKid.has(read.verifier.kid)) throw new TypeError(`${place} has the kid of a key before it; each has its own`)
    const material = materialOf(read.verifier)
    if (materials.has(material)) throw new TypeError(`${place} is a key before it once more; one key has one algorithm`)
    materials.add(material)
    byKid.set(read.verifier.kid, keepSame(read.verifier, before))
    if (read.verifier.alg !== 'HS256') published.push(toPublicJwk(read.verifier))
    if (index > 0) continue
    if (read.signer === undefined) {
      throw new TypeError(`${place} has no private member; the first key signs, so it needs its private half`)
    }
    signer = read.signer
  }
  return { signer: signer!, byKid, published: Object.freeze({ keys: Object.freeze(published) }) }
}

/** The fingerprint without the algorithm it begins with. */
const materialOf = ({ fingerprint }: VerificationKey): string => fingerprint.slice(fingerprint.indexOf(' '))

function listKeys(jwks: PrivateJwks): readonly unknown[] {
  const parsed = typeof jwks === 'string' ? parseText(jwks) : jwks
  const keys: unknown = isObject(parsed) ? parsed['keys'] : undefined
  if (!Array.isArray(keys)) throw new TypeError('A key set is an object with a list of keys: { "keys": [ … ] }')
  if (keys.length < 1 || keys.length > maxKeys) {
    throw new TypeError(`A key set has 1 to ${maxKeys} keys; this one has ${keys.length}`)
  }
  return keys
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Node quotes the text it could not parse, and the text is a secret.
    throw new TypeError('The key set is not JSON')
  }
}

interface ReadKey {
  readonly verifier: VerificationKey
  readonly signer: SigningKey | undefined
}

function readKey(jwk: unknown, place: string): ReadKey {
  if (!isObject(jwk)) throw new TypeError(`${place} is no object`)
  const { kid, alg } = jwk
  if (typeof kid !== 'string' || !kidForm.test(kid)) {
    throw new TypeError(`${place} has no usable kid: 1 to 128 letters, digits and any of - _ . ~ :`)
  }
  if (alg === undefined) throw new TypeError(`${place} has no alg; name one of ${accepted}`)
  if (typeof alg !== 'string' || !(privateMembers.has(alg) || alg === 'HS256')) {
    throw new TypeError(`${place} has an alg that is not taken; name one of ${accepted}`)
  }
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') throw new TypeError(`${place} has another use than "sig"`)
  return alg === 'HS256' ? readSecret(jwk, kid, place) : readPair(jwk, kid, alg as AsymmetricAlgorithm, place)
}

function readPair(jwk: Jwk, kid: string, alg: AsymmetricAlgorithm, place: string): ReadKey {
  const verifier = readPublicKey(jwk, kid, alg)
  if (typeof verifier === 'string') throw new TypeError(`${place} ${verifier}`)
  if (jwk['d'] === undefined) {
    assertOperation(jwk, 'verify', place)
    return { verifier, signer: undefined }
  }
  assertOperation(jwk, 'sign', place)
  const key = toKeyObject(pick(jwk, [...publicMembers, ...privateMembers.get(alg)!]), createPrivateKey)
  if (key === undefined)
    throw new TypeError(`${place} has private members that make no key, or not the one of its public half`)
  if (!isPair(key, verifier.key)) throw new TypeError(`${place} has a private half that is not of its public half`)
  return { verifier, signer: { kid, alg, key } }
}

function readSecret(jwk: Jwk, kid: string, place: string): ReadKey {
  const { kty, k } = jwk
  if (kty !== 'oct') throw new TypeError(`${place} is not of the type that HS256 needs`)
  if (typeof k !== 'string' || !/^[\w-]+$/.test(k)) throw new TypeError(`${place} has a secret that is not base64url`)
  assertOperation(jwk, 'sign', place)
  const bytes = Buffer.from(k, 'base64url')
  if (bytes.length < minSecretBytes) {
    throw new TypeError(`${place} has a secret of ${bytes.length} bytes; HS256 needs at least ${minSecretBytes}`)
  }
  const weakness = secretWeakness(bytes.toString('latin1'))
  if (weakness !== undefined) throw new TypeError(`${place} has a secret that ${weakness}`)
  const key = createSecretKey(bytes)
  const fingerprint = `HS256 ${hash('sha256', bytes, 'base64url')}`
  return { verifier: { kid, alg: 'HS256', key, fingerprint, isRetired: false }, signer: { kid, alg: 'HS256', key } }
}

function assertOperation(jwk: Jwk, operation: 'sign' | 'verify', place: string): void {
  const operations = jwk['key_ops']
  if (operations === undefined) return
  if (!Array.isArray(operations) || !operations.includes(operation)) {
    throw new TypeError(`${place} has key_ops without "${operation}"`)
  }
}

/** Signs and verifies once: a private half of another key would sign tokens that nobody accepts. */
function isPair(privateKey: KeyObject, publicKey: KeyObject): boolean {
  const digest = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  const probe = Buffer.from('a signature to be checked')
  try {
    return verify(digest, probe, publicKey, sign(digest, probe, privateKey))
  } catch {
    return false
  }
}
