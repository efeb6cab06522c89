// Accident: the first command a person tries needs three others first, or leaves a server behind that nobody sees.

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readDemoPasswords } from './demo-accounts.ts'
import { assembleDemo } from './demo-assembly.ts'
import { guideTo } from './demo-guide.ts'
import { choosePort, type DemoOptions, serveDemo } from './demo-service.ts'
import { Interrupted, Stop } from './demo-stop.ts'

const repository = join(import.meta.dirname, '..')
const usage = 'Use: npm start -- [--edge fastify|express] [--port 3000]'

async function start(signal: AbortSignal): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  // Before the work, so that nobody waits for it in vain; and once more after it.
  if (options.port !== undefined) await choosePort(options.port)
  const folder = await assembleDemo({ ...options, repository, signal })
  const port = await choosePort(options.port)
  const passwords = readDemoPasswords(folder)
  return serveDemo({ folder, port, signal, onReady: (url) => guideTo({ url, edge: options.edge, folder, passwords }) })
}

function readOptions(args: string[]): DemoOptions {
  try {
    const { values } = parseArgs({
      args,
      options: {
        edge: { type: 'string', default: 'fastify' },
        port: { type: 'string' },
        // For tests, which must not meet the demo of whoever runs them.
        into: { type: 'string', default: join(repository, 'demo') },
      },
    })
    const { edge, into } = values
    if (edge !== 'fastify' && edge !== 'express') throw new Stop(`There is no edge '${edge}'.`)
    const port = values.port === undefined ? undefined : Number(values.port)
    if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
      throw new Stop(`'${values.port}' is no port.`)
    }
    return { edge, into, port }
  } catch (error) {
    throw new Stop(`${(error as Error).message} ${usage}`)
  }
}

const abort = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => abort.abort(new Interrupted(name)))

try {
  process.exitCode = await start(abort.signal)
} catch (error) {
  const reason: unknown = abort.signal.aborted ? abort.signal.reason : error
  if (reason instanceof Stop) console.error(`holdfast: ${reason.message}`)
  else if (!(reason instanceof Interrupted)) console.error(reason)
  process.exitCode = reason instanceof Interrupted ? reason.exitCode : 1
}
