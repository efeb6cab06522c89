import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

export interface BenchServer {
  readonly contender: string
  readonly url: string
  /** Processor time spent so far, in microseconds. */
  cpuMicros(): Promise<number>
  stop(): void
}

/** Starts a contender on a core that the load does not use, where the system can pin. */
export async function startServer(contender: string): Promise<BenchServer> {
  const port = await freePort()
  const file = fileURLToPath(new URL(`servers/${contender}.ts`, import.meta.url))
  const pinned = existsSync('/usr/bin/taskset') && availableParallelism() > 1
  const [command, ...args] = pinned ? ['/usr/bin/taskset', '-c', '0', process.execPath, file] : [process.execPath, file]
  const child = spawn(command, args, {
    env: { ...process.env, PORT: String(port), NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const url = `http://127.0.0.1:${port}`
  await answering(url, child)
  return {
    contender,
    url,
    cpuMicros: () =>
      new Promise((resolve) => {
        child.once('message', (usage: NodeJS.CpuUsage) => resolve(usage.user + usage.system))
        child.send('cpu')
      }),
    stop: () => child.kill('SIGKILL'),
  }
}

async function answering(url: string, child: { readonly exitCode: number | null }): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`The server for ${url} ended with ${child.exitCode}`)
    try {
      await fetch(`${url}/ping`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`Nothing answers at ${url} after 10 s`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
