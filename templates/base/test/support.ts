import { silentLogger } from 'holdfast/logging'
import { createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import type { Role } from '../src/platform/rights.ts'
import { createDatabaseForTest, type DatabaseForTest } from './database.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // Tests look into bodies freely; a wrong guess fails the test that makes it.
  readonly body: any
}

export type CallService = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>

export interface TestService {
  readonly url: string
  readonly database: DatabaseForTest
  readonly call: CallService
  /** An account of its own with these roles. */
  createAccount(...roles: Role[]): Promise<TestAccount>
  /** The same, signed in; each of its calls says who calls. */
  signIn(...roles: Role[]): Promise<TestCaller>
  stop(): Promise<void>
}

export interface TestAccount {
  readonly email: string
  readonly password: string
}

export interface TestCaller extends TestAccount {
  readonly id: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly call: CallService
}

/** The whole service on a free port, with an empty, migrated database of its own unless it shares that of another one. */
export async function startService(
  env: Readonly<Record<string, string>> = {},
  shared?: DatabaseForTest,
): Promise<TestService> {
  const database = shared ?? (await createDatabaseForTest())
  const config = readConfig({ NODE_ENV: 'test', ...generous, ...env, ...database.env })
  const app = await createApp(config, {
    logger: silentLogger,
    signal: new AbortController().signal,
    state: () => 'ready',
  })
  const server = await app.edge.listen({ port: 0 })
  const call = callTo(server.url)

  const createAccount = async (...roles: Role[]): Promise<TestAccount> => {
    made += 1
    const account = { email: `somebody-${made}@example.com`, password: `tarred rope ${made}` }
    await app.accounts.service.create({ ...account, roles })
    return account
  }
  return {
    url: server.url,
    database,
    call,
    createAccount,
    async signIn(...roles) {
      const account = await createAccount(...roles)
      const { body } = await call('POST', '/auth/login', account)
      const { accessToken, refreshToken } = body.data
      const own = callTo(server.url, { authorization: `Bearer ${accessToken}` })
      const me = await own('GET', '/me')
      return { ...account, id: me.body.data.id, accessToken, refreshToken, call: own }
    },
    async stop() {
      server.destroy()
      await server.stop()
      await app.dispose()
      if (shared === undefined) await database.drop()
    },
  }
}

// All tests come from one address; what the limits do is the business of those that set them.
const generous = {
  LIMIT_ADDRESS_PER_MINUTE: '10000',
  LIMIT_PRINCIPAL_PER_MINUTE: '10000',
  LIMIT_LOGIN_FAILURES_PER_MINUTE: '1000',
  LIMIT_REGISTRATIONS_PER_10_MINUTES: '1000',
}

let made = 0

const callTo =
  (url: string, always: Readonly<Record<string, string>> = {}): CallService =>
  async (method, path, body, headers) => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { ...always, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
