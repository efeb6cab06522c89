// What do the five layers cost, and what does saying no? One service, by Holdfast, by hand and bare.
import { assertLayers, type LayerProbes } from './shared/assert-layers.ts'
import { createIssuer, type Tokens } from './shared/credentials.ts'
import { printGoals } from './shared/goals.ts'
import type { Work } from './shared/load.ts'
import { startRedis } from './shared/redis.ts'
import { type BenchOptions, chosen, measure, printFigures, type Results, type Task } from './shared/rounds.ts'
import { type Contender, keepOffServersCore } from './shared/start-process.ts'
import { type BenchServer, startServer } from './shared/start-server.ts'
import { origin } from './servers/layers/settings.ts'

const files = ['bare-fastify', 'hand-fastify', 'kit-fastify', 'bare-express', 'hand-express', 'kit-express']
const exact = ['kit-fastify', 'kit-express'].map((file) => ({ name: `${file}-exact`, file, env: { BENCH_EXACT: '1' } }))
const contenders: readonly Contender[] = [...files.map((file) => ({ name: file, file })), ...exact]
const principals = 1000

type AllTokens = Awaited<ReturnType<ReturnType<typeof createIssuer>['issue']>>

export async function pipeline(options: BenchOptions): Promise<void> {
  const bench = await startPipeline(contenders)
  try {
    const tasks = chosen(bench.tasks, options.only)
    print(tasks, await measure(bench.servers, tasks, { ...options, redis: bench.redis }), options)
  } finally {
    await bench.stop()
  }
}

export interface PipelineBench {
  readonly servers: readonly BenchServer[]
  readonly tasks: readonly Task[]
  readonly redis: Awaited<ReturnType<typeof startRedis>>
  stop(): Promise<void>
}

/** All on one real Redis, with every layer proven to be on. */
export async function startPipeline(started: readonly Contender[]): Promise<PipelineBench> {
  keepOffServersCore()
  const redis = await startRedis()
  const servers: BenchServer[] = []
  const stop = async (): Promise<void> => {
    for (const server of servers) server.stop()
    await redis.stop()
  }
  try {
    const issuer = createIssuer(principals)
    for (const { name, file, env } of started) {
      const shared = { BENCH_REDIS: redis.url, BENCH_NAME: name, ...issuer.env }
      servers.push(await startServer({ name, file: `pipeline/${file}`, env: { ...shared, ...env } }))
    }
    const tokens = await issuer.issue()
    for (const server of servers) {
      if (!isBare(server.name)) await assertLayers(server, tokensOf(server.name, tokens), probes)
    }
    return { servers, tasks: tasksWith(tokens), redis, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const isBare = (contender: string): boolean => contender.startsWith('bare')
const isExact = (contender: string): boolean => contender.endsWith('exact')
const tokensOf = (contender: string, tokens: AllTokens): Tokens =>
  contender.startsWith('kit') ? tokens.kit : tokens.hand

const item = '/items/42?currency=USD&q=rope'
const probes: LayerProbes = {
  good: item,
  others: item,
  wrong: { params: '/items/0', 'the query': '/items/42?currency=XXX' },
  post: '/orders',
}
const line = (sku: string) => ({
  sku,
  quantity: 3,
  priceCents: 1290,
  options: [
    { name: 'colour', value: 'red' },
    { name: 'length', value: '12 m' },
  ],
})
/** Some 1000 bytes. */
const order = {
  customer: {
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    address: { street: '12 St James Square', postalCode: 'SW1Y 4JH', city: 'London', country: 'GB' },
  },
  currency: 'EUR',
  note: 'Leave it with the harbour master if nobody answers; the pier is closed after eight in the evening.',
  lines: ['rope-12', 'shackle-8', 'block-4', 'cleat-2', 'buoy-1'].map(line),
}
const newOrder = JSON.stringify(order)
// Right in all but the last line, so that everything has to be looked at.
const wrongOrder = JSON.stringify({ ...order, lines: [...order.lines.slice(1), { ...line('rope-12'), quantity: 0 }] })

/** Bare servers have nobody to refuse: they answer the same status without looking. */
function tasksWith(tokens: AllTokens): readonly Task[] {
  const headers = { origin }
  const task = (name: string, bare: Work, layered: (own: Tokens) => Work, takesExact = false): Task => ({
    name,
    of: (contender) => {
      if (isExact(contender) && !takesExact) return undefined
      return { headers, ...(isBare(contender) ? bare : layered(tokensOf(contender, tokens))) }
    },
  })
  const yes = (work: Work) => [work, ({ good }: Tokens) => ({ ...work, tokens: good.slice(0, 1) })] as const
  const get: Work = { path: item, status: 200 }
  const post: Work = { path: '/orders', body: newOrder, status: 201 }
  const no401: Work = { path: '/refused/401', status: 401 }
  return [
    task('W1 public GET', { path: '/ping', status: 200 }, () => ({ path: '/ping', status: 200 })),
    task('W2 guarded GET', ...yes(get), true),
    task('W2 of 1000 principals', get, ({ good }) => ({ ...get, tokens: good }), true),
    task('W3 guarded POST, 1 KB', ...yes(post)),
    task('W7 401, forged tokens', no401, ({ forged }) => ({ path: item, status: 401, tokens: forged })),
    task('W7 401, garbage', no401, () => ({ path: item, status: 401, tokens: ['garbage'] })),
    task('429 over the limit', { path: '/refused/429', status: 429 }, () => ({ path: '/scarce', status: 429 })),
    task('W8 400, wrong body', { path: '/refused/400', body: wrongOrder, status: 400 }, ({ good }) => ({
      path: '/orders',
      body: wrongOrder,
      status: 400,
      tokens: good.slice(0, 1),
    })),
  ]
}

function print(tasks: readonly Task[], results: Results, { rounds, seconds }: BenchOptions): void {
  console.log(`\nNode ${process.version}, median of ${rounds} rounds of ${seconds} s, 50 connections`)
  const names = contenders.map(({ name }) => name)
  printFigures('requests per second', 'perSecond', 0, names, tasks, results)
  printFigures('processor µs per request', 'cpuMicros', 1, names, tasks, results)
  printFigures('Redis, µs per request', 'redisMicros', 1, names, tasks, results)
  printGoals(tasks, results)
}
