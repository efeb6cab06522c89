import { silentLogger } from 'holdfast/logging'
import { createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { createDatabaseForTest } from './database.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // Tests look into bodies freely; a wrong guess fails the test that makes it.
  readonly body: any
}

export interface TestService {
  readonly url: string
  call(method: string, path: string, body?: unknown): Promise<Answer>
  stop(): Promise<void>
}

/** The whole service on a free port, with an empty, migrated database of its own. */
export async function startService(): Promise<TestService> {
  const database = await createDatabaseForTest()
  const config = readConfig({ NODE_ENV: 'test', DATABASE_URL: database.url })
  const app = await createApp(config, {
    logger: silentLogger,
    signal: new AbortController().signal,
    state: () => 'ready',
  })
  const server = await app.edge.listen({ port: 0 })
  return {
    url: server.url,
    async call(method, path, body) {
      const response = await fetch(new URL(path, server.url), {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
    },
    async stop() {
      server.destroy()
      await server.stop()
      await app.dispose()
      await database.drop()
    },
  }
}
