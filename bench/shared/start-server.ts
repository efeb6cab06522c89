import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { type BenchProcess, type Contender, startProcess } from './start-process.ts'

export interface BenchServer extends BenchProcess {
  readonly url: string
}

/** Starts a contender that serves HTTP; resolves when it answers. */
export async function startServer({ name, file, env }: Contender): Promise<BenchServer> {
  const port = await freePort()
  const started = startProcess({ name, file, env: { ...env, PORT: String(port) } })
  const url = `http://127.0.0.1:${port}`
  try {
    await answering(url, started)
  } catch (error) {
    started.stop()
    throw error
  }
  return { ...started, url }
}

async function answering(url: string, started: BenchProcess): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (started.exitCode() !== null) throw new Error(`The server for ${url} ended with ${started.exitCode()}`)
    try {
      await fetch(`${url}/ping`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`Nothing answers at ${url} after 20 s`)
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
