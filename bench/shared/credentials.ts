import { randomBytes, randomUUID } from 'node:crypto'
import { createAccessTokens, createKeySet, generateKey } from 'holdfast/auth'
import jsonwebtoken from 'jsonwebtoken'
import { audience, issuer, lifetimeSeconds } from '../servers/layers/settings.ts'

/** Tokens of as many principals, all with the roles the routes ask for. */
export interface Tokens {
  readonly good: readonly string[]
  /** Well formed, in time, naming a known key, and signed with another. */
  readonly forged: readonly string[]
}

export interface Issuer {
  /** What the servers need to know. */
  readonly env: Readonly<Record<string, string>>
  /** The principals, in the order of their tokens. */
  readonly ids: readonly string[]
  /** Call it when the servers run: the kit refuses what is older than its session store. */
  issue(): Promise<{
    /** Ed25519, as the kit signs. */
    readonly kit: Tokens
    /** HS256, as is usual by hand. */
    readonly hand: Tokens
  }>
}

const roles = ['reader', 'writer']

export function createIssuer(principals: number): Issuer {
  const ids = Array.from({ length: principals }, () => randomUUID())
  const key = generateKey()
  const otherKey = { ...generateKey(), kid: key.kid }
  const [secret, otherSecret] = [newSecret(), newSecret()]
  return {
    env: { BENCH_JWKS: JSON.stringify({ keys: [key] }), BENCH_SECRET: secret },
    ids,
    async issue() {
      return {
        kit: { good: await signWithKey(key, ids), forged: await signWithKey(otherKey, ids) },
        hand: { good: signWithSecret(secret, ids), forged: signWithSecret(otherSecret, ids) },
      }
    },
  }
}

const newSecret = (): string => randomBytes(32).toString('base64url')

function signWithKey(key: ReturnType<typeof generateKey>, ids: readonly string[]): Promise<string[]> {
  const tokens = createAccessTokens({ issuer, audience, lifetimeSeconds, keys: createKeySet({ keys: [key] }) })
  const grant = (principalId: string) => ({ principalId, sessionId: randomUUID(), roles, permissions: [] })
  return Promise.all(ids.map(async (id) => (await tokens.issue(grant(id))).token))
}

const signWithSecret = (secret: string, ids: readonly string[]): string[] =>
  ids.map((subject) =>
    jsonwebtoken.sign({ roles }, secret, {
      subject,
      jwtid: randomUUID(),
      issuer,
      audience,
      expiresIn: lifetimeSeconds,
    }),
  )
