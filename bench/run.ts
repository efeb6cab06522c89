// What does the pipeline cost over a bare framework? Each contender serves the same work in a process of its own; the
// rounds are interleaved, so that a machine whose speed drifts drifts for all. Read the ratios.
//
//   npm run bench -- --seconds 3 --rounds 5
import { parseArgs } from 'node:util'
import { type Figures, load, type Work } from './load.ts'
import { startServer } from './start-server.ts'
import { median, printTable } from './table.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '2' }, rounds: { type: 'string', default: '5' } },
})
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)

const contenders = ['bare-fastify', 'kit-fastify', 'bare-express', 'kit-express'] as const
const newItem = JSON.stringify({
  name: 'Rope',
  description: 'A rope that holds. '.repeat(40),
  currency: 'EUR',
  priceCents: 700,
  tags: ['deck', 'safety'],
})
const works: readonly Work[] = [
  { name: 'static GET', path: '/ping', status: 200 },
  { name: 'validated GET', path: '/items/42?currency=USD&q=rope', status: 200 },
  { name: 'validated POST', path: '/items', body: newItem, status: 201 },
]
const refusals: readonly Work[] = [
  { name: 'refused: 400 body', path: '/items', body: '{"name":""}', status: 400 },
  { name: 'refused: 404', path: '/nothing', status: 404 },
]

const results = new Map<string, Figures[]>()
const servers = await Promise.all(contenders.map(startServer))
try {
  for (let round = 0; round <= rounds; round++) {
    for (const work of [...works, ...refusals]) {
      for (const server of servers) {
        if (work.status === 400 && server.contender.startsWith('bare')) continue
        const figures = await load(server, work, round === 0 ? 1 : seconds)
        const key = `${work.name}|${server.contender}`
        // The first round warms up.
        if (round > 0) results.set(key, [...(results.get(key) ?? []), figures])
      }
    }
  }
} finally {
  for (const server of servers) server.stop()
}

const of = (work: Work, contender: string, figure: keyof Figures): number =>
  median((results.get(`${work.name}|${contender}`) ?? []).map((figures) => figures[figure]))
const ratio = (one: number, other: number): string => (one / other).toFixed(2)

console.log(`\nNode ${process.version}, median of ${rounds} rounds of ${seconds} s, 50 connections`)
for (const [title, figure, digits] of [
  ['requests per second', 'perSecond', 0],
  ['processor µs per request', 'cpuMicrosPerRequest', 1],
] as const) {
  printTable(
    [title, ...contenders, 'kit / bare Fastify', 'kit / bare Express'],
    works.map((work) => [
      work.name,
      ...contenders.map((contender) => of(work, contender, figure).toFixed(digits)),
      ratio(of(work, 'kit-fastify', figure), of(work, 'bare-fastify', figure)),
      ratio(of(work, 'kit-express', figure), of(work, 'bare-express', figure)),
    ]),
  )
}
// A bare framework does not validate, so its yes to a POST is what our no is measured against.
const [, , post] = works as readonly [Work, Work, Work]
printTable(
  ['saying no, requests per second', 'kit-fastify', 'kit-express', '/ bare Fastify POST', '/ bare Express POST'],
  refusals.map((work) => [
    work.name,
    of(work, 'kit-fastify', 'perSecond').toFixed(0),
    of(work, 'kit-express', 'perSecond').toFixed(0),
    ratio(of(work, 'kit-fastify', 'perSecond'), of(post, 'bare-fastify', 'perSecond')),
    ratio(of(work, 'kit-express', 'perSecond'), of(post, 'bare-express', 'perSecond')),
  ]),
)
