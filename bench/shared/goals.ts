import type { Results, Task } from './rounds.ts'
import { printTable, shown } from './table.ts'

interface Goal {
  /** First words of the works it holds for. */
  readonly work: string
  readonly ours: string
  readonly theirs: string
  /** Least ratio of requests per second. Missing where the ratio is only to be seen. */
  readonly least?: number
}

const onFastify = (work: string, bare: number, hand?: number): Goal[] => goalsOn('fastify', work, bare, hand)
const onExpress = (work: string, bare: number, hand?: number): Goal[] => goalsOn('express', work, bare, hand)

const goals: readonly Goal[] = [
  ...onFastify('W1', 0.85),
  ...onExpress('W1', 1.3),
  ...onFastify('W2', 0.65, 2.5),
  ...onExpress('W2', 1.1, 4),
  { work: 'W2', ours: 'kit-express', theirs: 'hand-fastify', least: 1 },
  ...onFastify('W3', 0.65, 2),
  ...onExpress('W3', 1, 3.3),
  ...onFastify('W4', 1.1, 2.6),
  ...onExpress('W4', 1, 2.6),
  ...onFastify('W6', 1.6),
  ...onExpress('W6', 1.6),
  ...seenOn('fastify'),
  ...seenOn('express'),
  ...onFastify('W7', 0.85),
  ...onExpress('W7', 1.1),
  ...onFastify('429', 0.85),
  ...onExpress('429', 1.1),
  ...onFastify('W8', 0.75),
  ...onExpress('W8', 1.1),
]

function goalsOn(edge: string, work: string, bare: number, hand: number | undefined): Goal[] {
  const ours = `kit-${edge}`
  const beatsHand = hand === undefined ? [] : [{ work, ours, theirs: `hand-${edge}`, least: hand }]
  return [{ work, ours, theirs: `bare-${edge}`, least: bare }, ...beatsHand]
}

/** What is no goal, and worth a look beside those that are. */
function seenOn(edge: string): Goal[] {
  const ours = `kit-${edge}`
  return [
    { work: 'W6', ours, theirs: `hand-${edge}` },
    { work: 'order', ours, theirs: `bare-${edge}` },
    { work: 'order', ours, theirs: `hand-${edge}` },
    ...['W4', 'W6', 'order'].map((work) => ({ work, ours: `${ours}-secured`, theirs: ours })),
  ]
}

/** Judged by requests per second. Processor time beside it says what the server itself spent, whoever else ran. */
export function printGoals(tasks: readonly Task[], results: Results): void {
  const rows = tasks.flatMap(({ name }) =>
    goals
      .filter(({ work }) => name.startsWith(work))
      .map(({ ours, theirs, least }) => {
        const ratio = results.ratio(name, ours, theirs, 'perSecond')
        const byTime = results.ratio(name, theirs, ours, 'cpuMicros')
        const pair = [name, `${ours} / ${theirs}`, shown(ratio, 2)]
        if (least === undefined) return [...pair, '', '', shown(byTime, 2)]
        const verdict = Number.isNaN(ratio) ? '' : ratio >= least ? 'met' : 'missed'
        return [...pair, `≥ ${least}`, verdict, shown(byTime, 2)]
      }),
  )
  printTable(['goals', 'of', 'ratio', 'goal', '', 'by processor time'], rows)
}
