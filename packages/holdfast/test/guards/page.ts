import { edges } from '../edges.ts'
import type { Row, Unclaimed } from './row.ts'

const edgeNames: Readonly<Record<keyof typeof edges, string>> = { express: 'Express', fastify: 'Fastify' }
const provenOn = Object.keys(edges)
  .map((edge) => edgeNames[edge as keyof typeof edges])
  .join(' and ')

const introduction = `# Defence in depth

No guard of Holdfast stands alone. Each line below is an attack on a real service: PostgreSQL, sessions, password hashes, HTTP over sockets. The suite in \`packages/holdfast/test/guards/\` runs it four times, on ${provenOn}: with all in place, where it is stopped; with the guard taken out, where it is stopped by whoever comes next, and this is the line; with only the next one taken out, where it can be taken out alone and the guard stops it again; and with both taken out, where it succeeds, or the others would prove nothing. In each run that is stopped, nothing that belongs to others has changed, and no reply tells of tables, SQL, hashes or files.

A guard is taken out by composing the service without it. The package has no switch for that, and what does it is in no published file. What is not listed here is not claimed.

"How" says in which way the guard is gone, and which others are gone with it, so that the next one has to stop the attack by itself. "Sees" is what the attacker gets to see. A \`500 internal\` is the bare answer to a defect: without the guard nobody expects such input any more, and nobody is told anything.

The guards come in the order in which a call meets them. Whose rows it may read and write is asked four times: at the route, in the service, in the SQL of the repository, and by row-level security of the database.
`

const closing = `## What nothing stops

Some guards have nobody behind them for some attacks. The suite proves these as well, on ${provenOn}: with the guard taken out, the attack succeeds.
`

/** The page of the docs, from what the suite proves. */
export function toPage(rows: readonly Row[], unclaimed: readonly Unclaimed[]): string {
  const sections = Map.groupBy(rows, ({ guard }) => guard)
  const open = unclaimed.map(({ guard, attack, why }) => [guard, attack, why])
  return [
    introduction,
    ...[...sections].map(([guard, attacks]) => toSection(guard, attacks)),
    closing,
    toTable(['Guard removed', 'Attack', 'Why'], open),
  ].join('\n')
}

function toSection(guard: string, rows: readonly Row[]): string {
  const hasWays = rows.some(({ how }) => how !== undefined)
  const lines = rows.map(({ attack, how = 'removed', stoppedBy, sees }) => [
    ...(hasWays ? [how] : []),
    attack,
    stoppedBy,
    sees.guardGone,
  ])
  return `## Without ${guard}\n\n${toTable([...(hasWays ? ['How'] : []), 'Attack', 'Stopped by', 'Sees'], lines)}`
}

function toTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const cells = [head, ...lines].map((line) => line.map((cell) => cell.replaceAll('|', String.raw`\|`)))
  const widths = head.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)))
  const toLine = (line: readonly string[]): string =>
    `| ${widths.map((width, at) => (line[at] ?? '').padEnd(width)).join(' | ')} |\n`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |\n`
  const [first, ...others] = cells.map(toLine)
  return [first, rule, ...others].join('')
}
