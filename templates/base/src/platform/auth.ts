import { createAccessTokens, createKeySet, createSessions, generateKey } from 'holdfast/auth'
import type { KeySet, Sessions, SessionsOptions } from 'holdfast/auth'
import { type Logger, systemClock } from 'holdfast/http'
import type { Redis } from 'holdfast/redis'
import type { Config } from '../config.ts'
import { createSessionStore, type Database } from './database.ts'

/** The keys of AUTH_KEYS; without them, outside of production, one that lives as long as this process. */
export function openKeys(config: Config, logger: Logger): KeySet {
  if (config.AUTH_KEYS) return createKeySet(config.AUTH_KEYS.reveal())
  logger.info({}, 'AUTH_KEYS is not set: access tokens are good until this process ends, then clients refresh')
  return createKeySet({ keys: [generateKey()] })
}

export interface SessionNeeds extends Required<Pick<SessionsOptions, 'findRights' | 'onEvent'>> {
  readonly database: Database
  readonly databaseUrl: string
  readonly redis: Redis | undefined
  readonly keys: KeySet
  readonly logger: Logger
}

/** Who is signed in. Knows of no revocation before `open`. */
export function createServiceSessions(config: Config, needs: SessionNeeds): Sessions {
  const { database, databaseUrl, redis, keys, findRights, onEvent, logger } = needs
  const tokens = createAccessTokens({
    issuer: config.AUTH_ISSUER,
    audience: config.AUTH_AUDIENCE,
    keys,
    lifetimeSeconds: config.ACCESS_TOKEN_SECONDS,
    // The time of the session store, so that all instances agree when a token expires.
    clock: { ...systemClock, now: () => sessions.now() },
  })
  const sessions: Sessions = createSessions({
    store: createSessionStore({ database, databaseUrl, redis, logger }),
    tokens,
    findRights,
    idleSeconds: config.SESSION_IDLE_SECONDS,
    lifetimeSeconds: config.SESSION_LIFETIME_SECONDS,
    onEvent,
    logger,
  })
  return sessions
}
