import autocannon from 'autocannon'
import type { BenchServer } from './start-server.ts'

export interface Work {
  readonly name: string
  readonly path: string
  /** Sent by POST when given. */
  readonly body?: string
  /** Any other answer makes the figure worthless. */
  readonly status: number
}

export interface Figures {
  readonly perSecond: number
  readonly cpuMicrosPerRequest: number
}

export async function load(server: BenchServer, work: Work, seconds: number): Promise<Figures> {
  const { url } = server
  const before = await server.cpuMicros()
  const result = await autocannon({
    url: `${url}${work.path}`,
    connections: 50,
    duration: seconds,
    ...(work.body === undefined
      ? {}
      : { method: 'POST', body: work.body, headers: { 'content-type': 'application/json' } }),
  })
  const wrong = Object.keys(result.statusCodeStats ?? {}).filter((status) => Number(status) !== work.status)
  if (wrong.length > 0 || result.errors > 0) {
    throw new Error(
      `${url}${work.path} answered ${wrong.join(', ')} with ${result.errors} errors; ${work.status} was due`,
    )
  }
  const spent = (await server.cpuMicros()) - before
  return { perSecond: result.requests.average, cpuMicrosPerRequest: spent / result.requests.total }
}
