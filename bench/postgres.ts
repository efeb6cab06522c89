// What does a way to ask PostgreSQL cost, with no HTTP around it?
import { createIssuer } from './shared/credentials.ts'
import type { Figures } from './shared/load.ts'
import { type BenchDatabase, type BenchPostgres, startPostgres } from './shared/postgres.ts'
import { type BenchOptions, chosen, printFigures, Results, type Task } from './shared/rounds.ts'
import { Answers, assertNothingLost, createShop, shop } from './shared/shop.ts'
import { type BenchProcess, keepOffServersCore, startProcess } from './shared/start-process.ts'
import { printTable, shown } from './shared/table.ts'

const clients = ['pg unnamed', 'pg named', 'kysely', 'holdfast', 'holdfast secured', 'holdfast kysely']
const mostInFlight = 16

interface Run extends Pick<Task, 'name'> {
  readonly work: 'find' | 'deposit'
  readonly inFlight: number
}

const runs: readonly Run[] = [1, mostInFlight].flatMap((inFlight) => [
  { name: `select by key, ${inFlight} in flight`, work: 'find', inFlight },
  { name: `transaction of 3, ${inFlight} in flight`, work: 'deposit', inFlight },
])

export async function postgres(options: BenchOptions): Promise<void> {
  keepOffServersCore()
  const server = await startPostgres()
  const processes: BenchProcess[] = []
  try {
    const [account, stranger] = createIssuer(2).ids as [string, string]
    const first = await server.createDatabase()
    await createShop(first, [account, stranger])
    const databases = new Map<string, BenchDatabase>()
    for (const name of clients) {
      const database = await first.copy()
      databases.set(name, database)
      const env = {
        BENCH_CLIENT: name,
        BENCH_DATABASE: database.url,
        BENCH_ACCOUNT: account,
        BENCH_ROLE: shop.role,
        BENCH_POOL: String(mostInFlight),
      }
      processes.push(startProcess({ name, file: 'postgres/client', env }))
    }
    const tasks = chosen(runs, options.only)
    const { results, answers } = await measure(processes, tasks, server, options)
    for (const [name, database] of databases) await assertNothingLost(database, answers.get(name) ?? new Answers())
    print(tasks, results, options)
  } finally {
    for (const process of processes) process.stop()
    await server.stop()
  }
}

interface Measured {
  readonly results: Results
  readonly answers: ReadonlyMap<string, Answers>
}

async function measure(
  processes: readonly BenchProcess[],
  tasks: readonly Run[],
  server: BenchPostgres,
  { rounds, seconds }: BenchOptions,
): Promise<Measured> {
  const results = new Results()
  const answers = new Map(processes.map(({ name }) => [name, new Answers()]))
  for (let round = -1; round < rounds; round++) {
    for (const { name, work, inFlight } of tasks) {
      for (const contender of processes) {
        const before = await server.cpuMicros()
        const argument = { work, inFlight, seconds: round < 0 ? 1 : seconds, wallets: shop.size }
        const { ids, ...figures } = (await contender.ask('run', argument)) as Figures & { readonly ids: number[] }
        const postgresMicros = ((await server.cpuMicros()) - before) / ids.length
        if (work === 'deposit') for (const id of ids) answers.get(contender.name)?.entries.push(id)
        // The first round warms up.
        if (round >= 0) results.add(round, name, contender.name, { ...figures, postgresMicros })
      }
    }
    process.stderr.write(round < 0 ? 'warm' : ` ${round + 1}/${rounds}`)
  }
  process.stderr.write('\n')
  return { results, answers }
}

function print(tasks: readonly Run[], results: Results, { rounds, seconds }: BenchOptions): void {
  console.log(`\nNode ${process.version}, median of ${rounds} rounds of ${seconds} s`)
  printFigures('processor µs per operation', 'cpuMicros', 1, clients, tasks, results)
  printFigures('operations per second', 'perSecond', 0, clients, tasks, results)
  printFigures('PostgreSQL, µs per operation', 'postgresMicros', 1, clients, tasks, results)
  printTable(
    ['processor time over that of pg named', ...clients],
    tasks.map(({ name }) => [
      name,
      ...clients.map((client) => shown(results.ratio(name, client, 'pg named', 'cpuMicros'), 2)),
    ]),
  )
}
