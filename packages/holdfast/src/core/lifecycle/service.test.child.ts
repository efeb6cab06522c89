import { createServer, type Server } from 'node:http'
import type { Logger, LogMethod } from '../../foundation/logger.ts'
import { createHealth } from './health.ts'
import type { Drainable, StartContext } from './lifecycle.ts'
import { runService } from './run-service.ts'

// A small service for the tests of real processes and signals: `node service.test.child.ts <scenario>`.

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const log: LogMethod = (fields, message) => {
  const { err } = fields
  say(`log: ${message}${err instanceof Error ? ` (${err.message})` : ''}`)
}
const logger: Logger = {
  trace: log,
  debug: log,
  info: log,
  warn: log,
  error: log,
  fatal: log,
  child: () => logger,
  flush: () => (scenario === 'stuck-flush' ? new Promise(() => {}) : Promise.resolve()),
}
const scenario = process.argv[2] ?? 'http'
const wait = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

function drainable(server: Server): Drainable {
  let isDraining = false
  server.prependListener('request', (_request, response) => {
    if (isDraining) response.setHeader('connection', 'close')
    // A call that began before the drain leaves an idle connection behind, which `close` would wait for.
    else response.once('finish', () => isDraining && setImmediate(() => server.closeIdleConnections()))
  })
  return {
    beginDrain: () => void (isDraining = true),
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
    destroy: () => server.closeAllConnections(),
  }
}

async function serveHttp({ use, serve, state }: StartContext): Promise<void> {
  const health = createHealth({ state })
  const server = createServer((request, response) => {
    if (request.url === '/readyz') {
      void health.readiness().then(({ ready }) => response.writeHead(ready ? 200 : 503).end())
    } else if (request.url === '/slow') {
      say('slow call arrived')
      setTimeout(() => response.end('done'), 700)
    } else if (request.url === '/throw') {
      response.end('soon')
      setTimeout(() => {
        throw new Error('boom')
      })
    } else if (request.url === '/reject') {
      response.end('soon')
      void Promise.reject(new Error('boom'))
    } else if (request.url !== '/never') {
      response.end('hello')
    }
  })
  use('pool', () => say('pool disposed'))
  use('cache', () => say('cache disposed'))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  serve(drainable(server))
  say(`port: ${(server.address() as { port: number }).port}`)
}

const starts: Record<string, (context: StartContext) => unknown> = {
  http: serveHttp,
  'stuck-flush': serveHttp,
  worker: () => say('started'),
  'slow-start': async ({ use, signal }) => {
    use('pool', () => say('pool disposed'))
    say('started')
    await Promise.race([wait(60_000), new Promise((resolve) => signal.addEventListener('abort', resolve))])
    signal.throwIfAborted()
  },
  'failing-start': ({ use }) => {
    use('pool', () => say('pool disposed'))
    throw new Error('connect ECONNREFUSED 127.0.0.1:5432')
  },
  'stuck-disposer': ({ use }) => {
    use('first', () => say('first disposed'))
    use('stuck', () => new Promise(() => {}))
    say('started')
  },
}

await runService(() => {
  if (scenario === 'wrong-settings') throw Object.assign(new Error('PORT is missing: set it'), { exitCode: 78 })
  const start = starts[scenario] ?? serveHttp
  return { logger, drainDelayMs: 400, stopTimeoutMs: 1000, disposeTimeoutMs: 400, start }
})
