import {
  connectionUrl,
  type Environment,
  loadConfig,
  networks,
  type Relation,
  sensitive,
  wholeNumber,
} from 'holdfast/config'
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { storeRelations, storeSettings } from './platform/store-config.ts'

const ms = (byDefault: number) => wholeNumber(1, 3_600_000).default(byDefault)
const count = (byDefault: number) => wholeNumber(1, 10_000).default(byDefault)
const seconds = (byDefault: number) => wholeNumber(60, 31_536_000).default(byDefault)
const name = z.string().min(1).max(512).default('__SERVICE_NAME__')
const list = z.string().transform((text) => text.split(',').map((item) => item.trim()))

const Settings = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),

  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(3000),
  TRUSTED_PROXIES: networks().optional(),
  KEEP_ALIVE_TIMEOUT_MS: ms(72_000),
  BALANCER_IDLE_TIMEOUT_MS: ms(60_000),

  REQUEST_TIMEOUT_MS: ms(10_000),
  REPORT_TIMEOUT_MS: ms(30_000),
  MAX_BODY_BYTES: wholeNumber(1, 104_857_600).default(102_400),
  REVEAL_DEFECTS: z.stringbool().default(false),

  CORS_ORIGINS: list.optional(),
  LIMIT_ADDRESS_PER_MINUTE: count(300),
  LIMIT_PRINCIPAL_PER_MINUTE: count(600),
  LIMIT_LOGIN_FAILURES_PER_MINUTE: count(10),
  LIMIT_REGISTRATIONS_PER_10_MINUTES: count(5),

  AUTH_KEYS: sensitive().optional(),
  AUTH_ISSUER: name,
  AUTH_AUDIENCE: name,
  ACCESS_TOKEN_SECONDS: wholeNumber(60, 3600).default(900),
  SESSION_IDLE_SECONDS: seconds(14 * 86_400),
  SESSION_LIFETIME_SECONDS: seconds(90 * 86_400),
  SEED_ADMIN_PASSWORD: sensitive().optional(),
  SEED_USER_PASSWORD: sensitive().optional(),

  REDIS_URL: connectionUrl({ schemes: ['redis', 'rediss'] }).optional(),
  REDIS_TIMEOUT_MS: wholeNumber(1, 10_000).default(100),
  REDIS_KEY_PREFIX: z
    .string()
    .regex(/^[\w:-]{0,64}$/, 'It takes 64 characters of A–Z, a–z, 0–9, _, : and -')
    .default('__SERVICE_NAME__:'),

  ...storeSettings,
  INSTANCES: count(1),

  DRAIN_DELAY_MS: wholeNumber(0, 3_600_000).optional(),
  STOP_TIMEOUT_MS: ms(15_000),
  TERMINATION_GRACE_MS: ms(30_000),
})

export type Config = Readonly<z.infer<typeof Settings>>

/** @throws {ConfigError} listing everything that is missing, wrong or contradictory */
export const readConfig = (env: Environment = environment()): Config =>
  loadConfig(Settings, { env, relations: (config) => [...relations(config), ...servingRelations(config)] })

/** For tasks such as migrating, which serve nobody: they need neither keys nor Redis, so nobody has to give them any. */
export const readTaskConfig = (env: Environment = environment()): Config => loadConfig(Settings, { env, relations })

/** A .env file fills what the environment leaves open. Not Node's flag for it: with --watch it needs the file. */
function environment(): Environment {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return process.env
}

/** Nobody balances load to a developer's machine, so Ctrl-C need not wait there. */
export const drainDelayMs = (config: Config): number =>
  config.DRAIN_DELAY_MS ?? (config.NODE_ENV === 'production' ? 5000 : 0)

// What has to be added to the stop: disposing, flushing the log, a margin.
const afterStopMs = 7000

const relations = (config: Config): readonly Relation[] => [
  ...storeRelations(config),
  {
    holds: config.ACCESS_TOKEN_SECONDS < config.SESSION_IDLE_SECONDS,
    message: 'ACCESS_TOKEN_SECONDS must be below SESSION_IDLE_SECONDS, or sessions end before anybody would refresh',
  },
  {
    holds: config.SESSION_IDLE_SECONDS <= config.SESSION_LIFETIME_SECONDS,
    message: 'SESSION_IDLE_SECONDS must not exceed SESSION_LIFETIME_SECONDS, which ends sessions in any case',
  },
  {
    holds: config.LIMIT_LOGIN_FAILURES_PER_MINUTE <= config.LIMIT_ADDRESS_PER_MINUTE,
    message: 'LIMIT_LOGIN_FAILURES_PER_MINUTE must not exceed LIMIT_ADDRESS_PER_MINUTE, or it never has a say',
  },
  {
    holds: config.NODE_ENV !== 'production' || !config.REVEAL_DEFECTS,
    message: 'REVEAL_DEFECTS sends stacks to callers; production does not take it. Remove it',
  },
  {
    holds: config.KEEP_ALIVE_TIMEOUT_MS > config.BALANCER_IDLE_TIMEOUT_MS,
    message: 'KEEP_ALIVE_TIMEOUT_MS must exceed BALANCER_IDLE_TIMEOUT_MS, or the balancer writes to closed connections',
  },
  {
    holds: drainDelayMs(config) + config.STOP_TIMEOUT_MS + afterStopMs < config.TERMINATION_GRACE_MS,
    message: `DRAIN_DELAY_MS + STOP_TIMEOUT_MS + ${afterStopMs} must stay below TERMINATION_GRACE_MS, or the process is killed mid-stop`,
  },
]

const servingRelations = (config: Config): readonly Relation[] => [
  {
    holds: config.NODE_ENV !== 'production' || config.REDIS_URL !== undefined,
    message: 'REDIS_URL is missing: without it each instance counts limits alone. Set it, or REDIS_URL_FILE',
  },
  {
    holds: config.NODE_ENV !== 'production' || config.AUTH_KEYS !== undefined,
    message: 'AUTH_KEYS is missing: all instances sign with the same keys. Make some with npm run new-key',
  },
]
