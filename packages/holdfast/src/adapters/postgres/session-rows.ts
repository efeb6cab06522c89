import type { Revocation, RevocationBatch, Rotation, SessionRecord } from '../../core/auth/session-store.ts'

export interface SessionRow {
  readonly id: string
  readonly principal_id: string
  readonly label: string
  readonly created_at: Date
  readonly last_used_at: Date
  readonly expires_at: Date
}

export interface RotatedRow extends SessionRow {
  /** The newest first. */
  readonly used_tokens: readonly { readonly hash: string; readonly sealed: string }[]
  readonly is_reused: boolean
  readonly is_rotated: boolean
}

interface BatchRow {
  readonly revocations: readonly RevocationText[]
  readonly cursor: string
  readonly now: Date
}

interface RevocationText {
  readonly sessionId?: string | null
  readonly principalId?: string | null
  readonly at: number
}

export function toSession(row: SessionRow): SessionRecord {
  return {
    id: row.id,
    principalId: row.principal_id,
    label: row.label,
    createdAt: row.created_at.getTime(),
    lastUsedAt: row.last_used_at.getTime(),
    expiresAt: row.expires_at.getTime(),
  }
}

export function toRotation(row: RotatedRow, usedHash: string): Rotation {
  const session = toSession(row)
  if (row.is_reused) return { outcome: 'reused', session }
  const place = row.used_tokens.findIndex(({ hash }) => hash === usedHash)
  const sealedSuccessors = row.used_tokens
    .slice(0, place + 1)
    .toReversed()
    .map(({ sealed }) => Buffer.from(sealed, 'hex'))
  return { outcome: row.is_rotated ? 'rotated' : 'replayed', session, sealedSuccessors }
}

export function toBatch({ revocations, cursor, now }: BatchRow): RevocationBatch {
  return { revocations: revocations.map(toRevocation), cursor, now: now.getTime(), notBefore: 0 }
}

function toRevocation({ sessionId, principalId, at }: RevocationText): Revocation {
  return sessionId == null ? { principalId: String(principalId), at } : { sessionId, at }
}

/** Anybody who may connect may notify: what is not ours is nothing. */
export function readMessage(message: string): Revocation | undefined {
  try {
    const { sessionId, principalId, at } = JSON.parse(message) as Partial<Record<string, unknown>>
    if (typeof at !== 'number') return undefined
    if (typeof sessionId === 'string') return { sessionId, at }
    return typeof principalId === 'string' ? { principalId, at } : undefined
  } catch {
    return undefined
  }
}

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
