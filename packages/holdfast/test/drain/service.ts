// A whole service in a process of its own: argv names the edge. Prints its address when it listens.
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { empty, noContent } from '../../src/core/http/reply.ts'
import { get } from '../../src/core/http/route.ts'
import { createHealth } from '../../src/core/lifecycle/health.ts'
import { runService } from '../../src/core/lifecycle/run-service.ts'
import { listen } from '../../src/edges/node/listen.ts'
import { silentLogger } from '../../src/foundation/logger.ts'
import { servers } from '../edges.ts'

const edge = process.argv[2] as keyof typeof servers
await runService({
  logger: silentLogger,
  drainDelayMs: Number(process.argv[3] ?? 500),
  stopTimeoutMs: Number(process.argv[4] ?? 5000),
  start: async ({ serve, state, use }) => {
    const http = createHttp(
      [
        get('/fast', { access: 'public', reply: { 204: empty } }, () => noContent()),
        get('/slow', { access: 'public', reply: { 204: empty } }, async () => {
          process.stdout.write('slow begun\n')
          await sleep(1500)
          return noContent()
        }),
      ],
      { health: createHealth({ state }) },
    )
    use('the resource', () => process.stdout.write('disposed\n'))
    const { url } = serve(await listen(await servers[edge](http), { port: 0 }))
    process.stdout.write(`listening ${url}\n`)
  },
})
