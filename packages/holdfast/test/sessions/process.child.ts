import { createAccessTokens } from '../../src/adapters/jose/access-tokens.ts'
import { createKeySet } from '../../src/adapters/jose/key-set.ts'
import { createDatabase } from '../../src/adapters/postgres/database.ts'
import { createPostgresSessionStore } from '../../src/adapters/postgres/session-store.ts'
import { createRedis } from '../../src/adapters/redis/redis.ts'
import { createRedisSessionStore } from '../../src/adapters/redis/session-store.ts'
import { createSessions } from '../../src/core/auth/create-sessions.ts'
import type { SessionStore } from '../../src/core/auth/session-store.ts'
import type { Sessions } from '../../src/core/auth/sessions.ts'
import { systemClock, type Clock } from '../../src/foundation/clock.ts'
import { isAppError } from '../../src/foundation/errors.ts'

/** How a process of the service is set up. */
export interface ChildSettings {
  readonly kind: 'postgres' | 'redis'
  readonly url: string
  readonly jwks: string
  readonly syncMs: number
  readonly maxStalenessSeconds: number
}

export interface Order {
  readonly id: number
  readonly method: string
  readonly args: readonly unknown[]
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | {
      readonly id: number
      readonly refusal: { readonly kind: string; readonly code: string; readonly message: string }
    }

const settings = JSON.parse(process.env['SESSIONS_SETTINGS'] ?? '{}') as ChildSettings

let stepMs = 0
const clock: Clock = { ...systemClock, now: () => Date.now() + stepMs }
const tokens = createAccessTokens({
  issuer: 'https://shop.test',
  audience: 'shop',
  keys: createKeySet(settings.jwks),
  clock: { ...clock, now: () => sessions.now() },
})
const events: string[] = []
const sessions: Sessions = createSessions({
  store: openStore(),
  tokens,
  findRights: () => Promise.resolve({ roles: ['customer'], permissions: [] }),
  syncMs: settings.syncMs,
  maxStalenessSeconds: settings.maxStalenessSeconds,
  onEvent: ({ type }) => events.push(type),
  clock,
})

function openStore(): SessionStore {
  if (settings.kind === 'redis') return createRedisSessionStore(createRedis({ url: settings.url }))
  const database = createDatabase({ url: settings.url, statementTimeoutMs: 1500, connectionTimeoutMs: 1500 })
  return createPostgresSessionStore(database, { listenUrl: settings.url })
}

const methods: Readonly<Record<string, (...args: never[]) => unknown>> = {
  open: () => sessions.open(),
  start: (principalId: string) => sessions.start(principalId),
  refresh: (token: string) => sessions.refresh(token),
  refreshMany: (token: string, count: number) =>
    Promise.all(Array.from({ length: count }, () => sessions.refresh(token))),
  end: (principalId: string, sessionId: string) => sessions.end(principalId, sessionId),
  endAll: (principalId: string) => sessions.endAll(principalId),
  outdate: (principalId: string) => sessions.outdate(principalId),
  authenticate: (token: string) => sessions.authenticate({ authorization: `Bearer ${token}`, cookie: undefined }),
  events: () => events,
  step(ms: number) {
    stepMs = ms
  },
}

async function obey({ id, method, args }: Order): Promise<Answer> {
  try {
    return { id, value: await methods[method]?.(...(args as never[])) }
  } catch (error) {
    if (!isAppError(error)) return { id, refusal: { kind: 'defect', code: 'defect', message: String(error) } }
    return { id, refusal: { kind: error.kind, code: error.code, message: error.message } }
  }
}

process.on('message', (order: Order) => {
  void obey(order).then((answer) => process.send?.(answer))
})
process.on('disconnect', () => process.exit())
