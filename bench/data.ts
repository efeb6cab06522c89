// What does the data layer cost? One shop on PostgreSQL, by Holdfast, by hand and bare.
import { assertLayers, type LayerProbes } from './shared/assert-layers.ts'
import { assertShop } from './shared/assert-shop.ts'
import { createIssuer, type Tokens } from './shared/credentials.ts'
import { printGoals } from './shared/goals.ts'
import { connections, type Meters, type Work } from './shared/load.ts'
import { type BenchDatabase, startPostgres } from './shared/postgres.ts'
import { startRedis } from './shared/redis.ts'
import { type BenchOptions, chosen, measure, printFigures, type Results, type Task } from './shared/rounds.ts'
import { Answers, assertNothingLost, createShop, shop } from './shared/shop.ts'
import { type Contender, keepOffServersCore } from './shared/start-process.ts'
import { type BenchServer, startServer } from './shared/start-server.ts'
import { origin } from './servers/layers/settings.ts'

const contenders: readonly Contender[] = ['fastify', 'express'].flatMap((edge) => [
  { name: `bare-${edge}`, file: `bare-${edge}` },
  { name: `hand-${edge}`, file: `hand-${edge}` },
  { name: `kit-${edge}`, file: `kit-${edge}` },
  { name: `kit-${edge}-secured`, file: `kit-${edge}`, env: { BENCH_ROLE: shop.role } },
])
const principals = 2
const differentCalls = 4000

export async function data(options: BenchOptions): Promise<void> {
  const bench = await startData(contenders)
  try {
    const tasks = chosen(bench.tasks, options.only)
    const results = await measure(bench.servers, tasks, { ...options, ...bench.meters })
    await bench.assertNothingLost()
    print(tasks, results, options)
  } finally {
    await bench.stop()
  }
}

export interface DataBench {
  readonly servers: readonly BenchServer[]
  readonly tasks: readonly Task[]
  readonly meters: Meters
  assertNothingLost(): Promise<void>
  stop(): Promise<void>
}

/** Each with a database of its own on one real PostgreSQL, with every layer proven to be on and the work to be done. */
export async function startData(started: readonly Contender[]): Promise<DataBench> {
  keepOffServersCore()
  const redis = await startRedis()
  const servers: BenchServer[] = []
  const stops = [() => redis.stop()]
  const stop = async (): Promise<void> => {
    for (const server of servers) server.stop()
    for (const end of stops.toReversed()) await end()
  }
  try {
    const postgres = await startPostgres()
    stops.push(() => postgres.stop())
    const issuer = createIssuer(principals)
    const databases = await createShops(started, await postgres.createDatabase(), issuer.ids)
    const account = issuer.ids[0] ?? ''
    for (const { name, file, env } of started) {
      const url = databases.get(name)?.url ?? ''
      const shared = { BENCH_REDIS: redis.url, BENCH_NAME: name, BENCH_DATABASE: url, BENCH_ACCOUNT: account }
      servers.push(await startServer({ name, file: `data/${file}`, env: { ...shared, ...issuer.env, ...env } }))
    }
    const tokens = await issuer.issue()
    const tokensOf = (contender: string): Tokens | undefined => {
      if (isBare(contender)) return undefined
      return contender.startsWith('kit') ? tokens.kit : tokens.hand
    }
    const answers = new Map(started.map(({ name }) => [name, new Answers()]))
    const answersOf = (contender: string): Answers => answers.get(contender) ?? new Answers()
    for (const server of servers) {
      const own = tokensOf(server.name)
      if (own !== undefined) await assertLayers(server, own, probes)
      await assertShop(server, own, answersOf(server.name))
    }
    return {
      servers,
      tasks: tasksWith(tokensOf, answersOf),
      meters: { redis, postgres },
      async assertNothingLost() {
        for (const [name, database] of databases) {
          await assertNothingLost(database, answersOf(name)).catch((thrown: unknown) => {
            throw new Error(`${name}: ${(thrown as Error).message}`, { cause: thrown })
          })
        }
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function createShops(
  started: readonly Contender[],
  first: BenchDatabase,
  ids: readonly string[],
): Promise<Map<string, BenchDatabase>> {
  await createShop(first, ids)
  const databases = new Map<string, BenchDatabase>()
  for (const { name } of started) databases.set(name, await first.copy())
  return databases
}

const isBare = (contender: string): boolean => contender.startsWith('bare')

const probes: LayerProbes = {
  good: '/wallets/1',
  others: `/wallets/${shop.strangersWallet}`,
  wrong: { params: '/wallets/0' },
  post: '/orders',
}

const random = (size: number): number => 1 + Math.floor(Math.random() * size)
const wallet = (): string => `/wallets/${random(shop.size)}`
const items = (): { productId: number; quantity: number }[] => {
  const ids = new Set<number>()
  while (ids.size < 3) ids.add(random(shop.size))
  return [...ids].map((productId) => ({ productId, quantity: random(3) }))
}
const soldOut = () => ({ productId: shop.firstSoldOut + random(shop.soldOut) - 1, quantity: 1 })

/** The same calls for all, each after keys of its own. */
function tasksWith(
  tokensOf: (contender: string) => Tokens | undefined,
  answersOf: (contender: string) => Answers,
): readonly Task[] {
  type Call = Pick<Work, 'path' | 'body'>
  const task = (name: string, status: number, call: () => Call, writes?: 'orders' | 'entries'): Task => {
    const calls = Array.from({ length: differentCalls }, call)
    const [{ path } = { path: '/' }] = calls
    return {
      name,
      of: (contender) => {
        const tokens = tokensOf(contender)?.good.slice(0, 1)
        const work: Work = { path, status, calls, headers: { origin }, ...(tokens !== undefined && { tokens }) }
        if (writes === undefined) return work
        const answers = answersOf(contender)
        // All that are under way when the time is up.
        answers.unanswered += connections
        return { ...work, onAnswer: (body) => answers[writes].push(idIn(body)) }
      },
    }
  }
  const order = (lines: readonly object[]) => ({ path: '/orders', body: JSON.stringify({ items: lines }) })
  return [
    task('W4 GET by key', 200, () => ({ path: wallet() })),
    task(
      'W6 POST, 3 statements',
      201,
      () => ({ path: `${wallet()}/entries`, body: JSON.stringify({ amountCents: random(9), note: 'Put aside' }) }),
      'entries',
    ),
    task('order of 3 lines', 201, () => order(items()), 'orders'),
    task('order refused, 409', 409, () => order([...items().slice(1), soldOut()])),
  ]
}

const idIn = (body: string): number => Number(/"id":(\d+)/.exec(body)?.[1])

function print(tasks: readonly Task[], results: Results, { rounds, seconds }: BenchOptions): void {
  console.log(`\nNode ${process.version}, median of ${rounds} rounds of ${seconds} s, ${connections} connections`)
  const names = contenders.map(({ name }) => name)
  printFigures('requests per second', 'perSecond', 0, names, tasks, results)
  printFigures('processor µs per request', 'cpuMicros', 1, names, tasks, results)
  printFigures('PostgreSQL, µs per request', 'postgresMicros', 1, names, tasks, results)
  printFigures('Redis, µs per request', 'redisMicros', 1, names, tasks, results)
  printGoals(tasks, results)
}
