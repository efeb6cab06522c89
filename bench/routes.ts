// What does the route table cost over a bare framework, with no layer switched on?
import { chosen, type BenchOptions, measure, type Results, type Task } from './shared/rounds.ts'
import { startServer } from './shared/start-server.ts'
import { keepOffServersCore } from './shared/start-process.ts'
import { printTable, shown } from './shared/table.ts'

const contenders = ['bare-fastify', 'kit-fastify', 'bare-express', 'kit-express']
const newItem = JSON.stringify({
  name: 'Rope',
  description: 'A rope that holds. '.repeat(40),
  currency: 'EUR',
  priceCents: 700,
  tags: ['deck', 'safety'],
})
const post = 'validated POST'
const works: readonly Task[] = [
  { name: 'static GET', of: () => ({ path: '/ping', status: 200 }) },
  { name: 'validated GET', of: () => ({ path: '/items/42?currency=USD&q=rope', status: 200 }) },
  { name: post, of: () => ({ path: '/items', body: newItem, status: 201 }) },
]
const isKit = (contender: string): boolean => contender.startsWith('kit')
const refusals: readonly Task[] = [
  {
    name: 'refused: 400 body',
    of: (contender) => (isKit(contender) ? { path: '/items', body: '{"name":""}', status: 400 } : undefined),
  },
  { name: 'refused: 404', of: () => ({ path: '/nothing', status: 404 }) },
]

export async function routes(options: BenchOptions): Promise<void> {
  keepOffServersCore()
  const tasks = chosen([...works, ...refusals], options.only)
  const servers = await Promise.all(contenders.map((name) => startServer({ name, file: `routes/${name}` })))
  try {
    print(tasks, await measure(servers, tasks, options))
  } finally {
    for (const server of servers) server.stop()
  }
}

function print(tasks: readonly Task[], results: Results): void {
  for (const [title, figure, digits] of [
    ['requests per second', 'perSecond', 0],
    ['processor µs per request', 'cpuMicros', 1],
  ] as const) {
    printTable(
      [title, ...contenders, 'kit / bare Fastify', 'kit / bare Express'],
      tasks.map(({ name }) => [
        name,
        ...contenders.map((contender) => shown(results.median(name, contender, figure), digits)),
        shown(results.ratio(name, 'kit-fastify', 'bare-fastify', figure), 2),
        shown(results.ratio(name, 'kit-express', 'bare-express', figure), 2),
      ]),
    )
  }
}
