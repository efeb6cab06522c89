import autocannon from 'autocannon'
import type { BenchServer } from './start-server.ts'

export interface Work {
  readonly path: string
  /** Sent by POST when given. */
  readonly body?: string
  /** Any other answer makes the figure worthless. */
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Shown in turn as bearer tokens, no two connections the same when there are enough. */
  readonly tokens?: readonly string[]
}

export interface Figures {
  readonly perSecond: number
  /** Of the server. */
  readonly cpuMicros: number
  /** Of the Redis behind it; 0 without one. */
  readonly redisMicros: number
}

/** Whatever can say how much processor time it has used so far. */
export interface Meter {
  cpuMicros(): Promise<number>
}

const noMeter: Meter = { cpuMicros: () => Promise.resolve(0) }
const connections = 50

export async function load(
  server: BenchServer,
  work: Work,
  { seconds, redis = noMeter }: { readonly seconds: number; readonly redis?: Meter | undefined },
): Promise<Figures> {
  const before = [await server.cpuMicros(), await redis.cpuMicros()] as const
  const turns = turnsOf(work)
  const result = await autocannon({
    url: `${server.url}${work.path}`,
    connections,
    duration: seconds,
    setupClient: (client) => client.setRequests(turns.next().value),
  })
  assertAnswers(server, work, result)
  const { total } = result.requests
  return {
    perSecond: result.requests.average,
    cpuMicros: ((await server.cpuMicros()) - before[0]) / total,
    redisMicros: ((await redis.cpuMicros()) - before[1]) / total,
  }
}

/** What each connection sends, over and over: the tokens are dealt out, so that all are in use at once. */
function* turnsOf(work: Work): Generator<autocannon.Request[], never> {
  const tokens = work.tokens ?? [undefined]
  for (let connection = 0; ; connection++) {
    const own = tokens.filter((_, at) => at % connections === connection % Math.min(connections, tokens.length))
    yield own.map((token) => toRequest(work, token))
  }
}

function toRequest({ path, body, headers }: Work, token: string | undefined): autocannon.Request {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  return {
    path,
    headers: { ...headers, ...authorization, ...type },
    ...(body === undefined ? {} : { method: 'POST', body }),
  }
}

function assertAnswers(server: BenchServer, work: Work, result: autocannon.Result): void {
  const wrong = Object.keys(result.statusCodeStats ?? {}).filter((status) => Number(status) !== work.status)
  if (wrong.length === 0 && result.errors === 0 && result.requests.total > 0) return
  throw new Error(
    `${server.name} answered ${work.path} with ${wrong.join(', ') || 'nothing else'} and ${result.errors} errors; ${work.status} was due`,
  )
}
