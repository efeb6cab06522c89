import { type Figures, load, type Load, type Work } from './load.ts'
import type { BenchServer } from './start-server.ts'
import { median, printTable, shown } from './table.ts'

export interface BenchOptions {
  readonly seconds: number
  readonly rounds: number
  /** First words of the works to measure; all when empty. */
  readonly only: readonly string[]
}

export interface Task {
  readonly name: string
  /** What a contender is asked to do; nothing for one that does not take part. */
  readonly of: (contender: string) => Work | undefined
}

/** The figures of all rounds. Ratios are taken within a round, where both met the same machine. */
export class Results {
  readonly #rounds: Map<string, Figures>[] = []

  add(round: number, task: string, contender: string, figures: Figures): void {
    ;(this.#rounds[round] ??= new Map()).set(`${task}|${contender}`, figures)
  }

  has(task: string, contender: string): boolean {
    return this.#rounds[0]?.has(`${task}|${contender}`) ?? false
  }

  /** NaN for a contender that did not take part. */
  median(task: string, contender: string, figure: keyof Figures): number {
    return median(this.#rounds.flatMap((round) => round.get(`${task}|${contender}`)?.[figure] ?? []))
  }

  ratio(task: string, one: string, other: string, figure: keyof Figures): number {
    return median(
      this.#rounds.flatMap((round) => {
        const [above, below] = [round.get(`${task}|${one}`), round.get(`${task}|${other}`)]
        return above && below ? above[figure] / below[figure] : []
      }),
    )
  }
}

export async function measure(
  servers: readonly BenchServer[],
  tasks: readonly Task[],
  { seconds, rounds, ...others }: BenchOptions & Omit<Load, 'seconds'>,
): Promise<Results> {
  const results = new Results()
  for (let round = -1; round < rounds; round++) {
    for (const { name, of } of tasks) {
      for (const server of servers) {
        const work = of(server.name)
        if (work === undefined) continue
        const figures = await load(server, work, { ...others, seconds: round < 0 ? 1 : seconds })
        server.clearLog()
        // The first round warms up.
        if (round >= 0) results.add(round, name, server.name, figures)
      }
    }
    process.stderr.write(round < 0 ? 'warm' : ` ${round + 1}/${rounds}`)
  }
  process.stderr.write('\n')
  return results
}

type Named = Pick<Task, 'name'>

export const chosen = <T extends Named>(tasks: readonly T[], only: readonly string[]): readonly T[] =>
  only.length === 0 ? tasks : tasks.filter(({ name }) => only.some((start) => name.startsWith(start)))

export function printFigures(
  title: string,
  figure: keyof Figures,
  digits: number,
  contenders: readonly string[],
  tasks: readonly Named[],
  results: Results,
): void {
  printTable(
    [title, ...contenders],
    tasks.map((task) => [
      task.name,
      ...contenders.map((name) => shown(results.median(task.name, name, figure), digits)),
    ]),
  )
}
