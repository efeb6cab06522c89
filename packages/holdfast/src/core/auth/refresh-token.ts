import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  randomBytes,
  type CipherGCMTypes,
  type DecipherGCM,
} from 'node:crypto'

/**
 * A refresh token as its client sees it: `hfr_` and 64 bytes in base64url. They are the session's id (16 bytes), so that
 * a store finds it in one step and in one place; the family secret (16), which is the same in all tokens of a session
 * and proves that one of them was given out by us however long ago; and 32 bytes of its own.
 */
export interface RefreshToken {
  readonly text: string
  readonly sessionId: string
  readonly family: Uint8Array
}

const idBytes = 16
const familyBytes = 16
const secretBytes = 32

export function newRefreshToken(sessionId: string, family: Uint8Array = randomBytes(familyBytes)): RefreshToken {
  return toToken(sessionId, family, randomBytes(secretBytes))
}

// The last of 86 digits stands for two bits: only four of the 64 are written by us, and each token has one spelling.
const pattern = /^hfr_[\w-]{85}[AQgw]$/

/** @returns `undefined` for anything that we can't have given out */
export function readRefreshToken(text: unknown): RefreshToken | undefined {
  if (typeof text !== 'string' || text.length !== 90 || !pattern.test(text)) return undefined
  const bytes = Buffer.from(text.slice(4), 'base64url')
  return {
    text,
    sessionId: toUuid(bytes.subarray(0, idBytes)),
    family: bytes.subarray(idBytes, idBytes + familyBytes),
  }
}

export function hashToken({ text }: RefreshToken): Uint8Array {
  return createHash('sha256').update(text).digest()
}

export function hashFamily({ family }: RefreshToken): Uint8Array {
  return createHash('sha256').update('holdfast family\0').update(family).digest()
}

const cipher: CipherGCMTypes = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

/**
 * Hides a successor from everybody but who holds the token before it: the key comes from that token, of which a store
 * knows only a hash. Sealed twice it looks different each time.
 */
export function sealSuccessor(presented: RefreshToken, successor: RefreshToken): Uint8Array {
  const nonce = randomBytes(nonceBytes)
  const sealing = createCipheriv(cipher, sealKey(presented), nonce)
  sealing.setAAD(Buffer.from(presented.sessionId))
  const hidden = Buffer.concat([sealing.update(secretOf(successor)), sealing.final()])
  return Buffer.concat([nonce, hidden, sealing.getAuthTag()])
}

/** @throws {Error} when it was sealed for another token, or is damaged */
export function openSuccessor(presented: RefreshToken, sealed: Uint8Array): RefreshToken {
  if (sealed.length !== nonceBytes + secretBytes + tagBytes)
    throw new Error('A sealed refresh token has a wrong length')
  const opening: DecipherGCM = createDecipheriv(cipher, sealKey(presented), sealed.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  })
  opening.setAAD(Buffer.from(presented.sessionId))
  opening.setAuthTag(sealed.subarray(-tagBytes))
  const secret = Buffer.concat([opening.update(sealed.subarray(nonceBytes, -tagBytes)), opening.final()])
  return toToken(presented.sessionId, presented.family, secret)
}

/** RFC 5869. The salt only keeps this use apart from others. */
function sealKey({ text }: RefreshToken): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', text, 'holdfast refresh token', 'seals its successor', 32))
}

function toToken(sessionId: string, family: Uint8Array, secret: Uint8Array): RefreshToken {
  const bytes = Buffer.concat([Buffer.from(sessionId.replaceAll('-', ''), 'hex'), family, secret])
  return { text: `hfr_${bytes.toString('base64url')}`, sessionId, family }
}

function secretOf({ text }: RefreshToken): Uint8Array {
  return Buffer.from(text.slice(4), 'base64url').subarray(idBytes + familyBytes)
}

function toUuid(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
