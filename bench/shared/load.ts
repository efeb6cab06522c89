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
  /** Asked in turn in place of `path` and `body`, no two connections the same when there are enough. */
  readonly calls?: readonly Pick<Work, 'path' | 'body'>[]
  /** Told of each answer. */
  readonly onAnswer?: (body: string) => void
}

export interface Figures {
  readonly perSecond: number
  /** Of the server. */
  readonly cpuMicros: number
  /** Of the Redis behind it; 0 without one. */
  readonly redisMicros: number
  /** Of the PostgreSQL behind it, likewise. */
  readonly postgresMicros: number
}

/** Whatever can say how much processor time it has used so far. */
export interface Meter {
  cpuMicros(): Promise<number>
}

/** What stands behind the servers. */
export interface Meters {
  readonly redis?: Meter | undefined
  readonly postgres?: Meter | undefined
}

export interface Load extends Meters {
  readonly seconds: number
}

const noMeter: Meter = { cpuMicros: () => Promise.resolve(0) }
export const connections = 50

export async function load(
  server: BenchServer,
  work: Work,
  { seconds, redis = noMeter, postgres = noMeter }: Load,
): Promise<Figures> {
  const spent = await startMeters([server, redis, postgres])
  const turns = turnsOf(work)
  const result = await autocannon({
    url: `${server.url}${work.path}`,
    connections,
    duration: seconds,
    setupClient: (client) => client.setRequests(turns.next().value),
  })
  const [cpu = 0, redisCpu = 0, postgresCpu = 0] = await spent()
  assertAnswers(server, work, result)
  const { total } = result.requests
  return {
    perSecond: result.requests.average,
    cpuMicros: cpu / total,
    redisMicros: redisCpu / total,
    postgresMicros: postgresCpu / total,
  }
}

/** @returns what tells how much each of them has spent since */
async function startMeters(meters: readonly Meter[]): Promise<() => Promise<number[]>> {
  const read = (): Promise<number[]> => Promise.all(meters.map((meter) => meter.cpuMicros()))
  const before = await read()
  return async () => (await read()).map((now, at) => now - (before[at] ?? 0))
}

/** What each connection sends, over and over: tokens and calls are dealt out, so that all are in use at once. */
function* turnsOf(work: Work): Generator<autocannon.Request[], never> {
  const { tokens = [undefined], calls = [work] } = work
  const turns = Math.max(tokens.length, calls.length)
  const requests = Array.from({ length: turns }, (_, at) =>
    toRequest(work, calls[at % calls.length] as Work, tokens[at % tokens.length]),
  )
  for (let connection = 0; ; connection++) {
    yield requests.filter((_, at) => at % connections === connection % Math.min(connections, turns))
  }
}

function toRequest(
  { headers, onAnswer }: Work,
  { path, body }: Pick<Work, 'path' | 'body'>,
  token: string | undefined,
): autocannon.Request {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  return {
    path,
    headers: { ...headers, ...authorization, ...type },
    ...(body === undefined ? {} : { method: 'POST', body }),
    ...(onAnswer !== undefined && { onResponse: (_: number, answer: string) => onAnswer(answer) }),
  }
}

function assertAnswers(server: BenchServer, work: Work, result: autocannon.Result): void {
  const wrong = Object.keys(result.statusCodeStats ?? {}).filter((status) => Number(status) !== work.status)
  if (wrong.length === 0 && result.errors === 0 && result.requests.total > 0) return
  throw new Error(
    `${server.name} answered ${work.path} with ${wrong.join(', ') || 'nothing else'} and ${result.errors} errors; ${work.status} was due`,
  )
}
