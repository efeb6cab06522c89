// Where does the kit spend its time? By package, by function, and by what a function of ours costs with all it calls.
// Sampling costs time itself, and a write that has to wait for the core counts as work: read the shares.
import type { Profiler } from 'node:inspector'
import { startData } from './data.ts'
import { startPipeline } from './pipeline.ts'
import { load } from './shared/load.ts'
import { type BenchOptions, chosen, type Task } from './shared/rounds.ts'
import type { BenchServer } from './shared/start-server.ts'
import { printTable } from './shared/table.ts'

interface Bench {
  readonly servers: readonly BenchServer[]
  readonly tasks: readonly Task[]
  stop(): Promise<void>
}

const servers = ['kit-fastify', 'kit-express'].map((name) => ({ name, file: name }))
const rows = 30

export async function profile(options: BenchOptions): Promise<void> {
  for (const start of [startPipeline, startData]) await profileIn(await start(servers), options)
}

async function profileIn(bench: Bench, { seconds, only }: BenchOptions): Promise<void> {
  try {
    for (const task of chosen(bench.tasks, only)) {
      for (const server of bench.servers) {
        const work = task.of(server.name)
        if (work === undefined) continue
        await load(server, work, { seconds: 2 })
        await server.ask('profile')
        const { cpuMicros } = await load(server, work, { seconds })
        const taken = (await server.ask('profiled')) as Profiler.Profile
        server.clearLog()
        print(`${task.name}, ${server.name}`, taken, cpuMicros)
      }
    }
  } finally {
    await bench.stop()
  }
}

function print(title: string, taken: Profiler.Profile, cpuMicros: number): void {
  const { busy, own, whole, packages } = countTimes(taken)
  const table = (name: string, times: ReadonlyMap<string, number>): void =>
    printTable(
      [`${title}: ${name}`, 'share', 'µs per request'],
      [...times]
        .toSorted(([, one], [, other]) => other - one)
        .slice(0, rows)
        .map(([key, micros]) => [
          key,
          `${((100 * micros) / busy).toFixed(1)} %`,
          ((cpuMicros * micros) / busy).toFixed(2),
        ]),
    )
  table('packages', packages)
  table('functions by themselves', own)
  table('functions of ours with all they call', whole)
}

interface Times {
  readonly busy: number
  readonly own: ReadonlyMap<string, number>
  readonly whole: ReadonlyMap<string, number>
  readonly packages: ReadonlyMap<string, number>
}

function countTimes(taken: Profiler.Profile): Times {
  const [own, whole, packages] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()]
  const nodes = new Map(taken.nodes.map((node) => [node.id, node]))
  const parents = new Map(taken.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  let busy = 0
  for (const [at, id] of (taken.samples ?? []).entries()) {
    const frame = nodes.get(id)?.callFrame
    const micros = taken.timeDeltas?.[at] ?? 0
    // The profiler's own start and end are no work of the server.
    if (frame === undefined || frame.functionName === '(idle)' || frame.url === 'node:inspector') continue
    busy += micros
    add(own, nameOf(frame), micros)
    add(packages, packageOf(frame), micros)
    const callers = new Set<string>()
    for (let each: number | undefined = id; each !== undefined; each = parents.get(each)) {
      const caller = nodes.get(each)?.callFrame
      if (caller !== undefined && packageOf(caller) === 'holdfast') callers.add(nameOf(caller))
    }
    for (const caller of callers) add(whole, caller, micros)
  }
  return { busy, own, whole, packages }
}

const add = (times: Map<string, number>, key: string, micros: number): void =>
  void times.set(key, (times.get(key) ?? 0) + micros)

function nameOf({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const name = functionName || '(anonymous)'
  return url === '' ? name : `${name} ${shortened(url)}:${lineNumber + 1}`
}

function packageOf({ functionName, url }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const path = shortened(url)
  if (path.startsWith('node:')) return 'node'
  if (path === '') return functionName.startsWith('(') ? functionName : 'native'
  return /^(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path
}

const shortened = (url: string): string =>
  url
    .replace(/^file:\/\//, '')
    .replace(/^.*\/node_modules\//, '')
    .replace(/^.*\/packages\/holdfast\/dist\//, 'holdfast/')
    .replace(/^.*\/bench\//, 'bench/')
