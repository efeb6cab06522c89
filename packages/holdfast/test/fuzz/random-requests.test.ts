import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareConversations, findFaults } from './claims.ts'
import { type Conversation, converse, type Manner } from './conversation.ts'
import { requestBytes } from './requests.ts'
import type { Condition } from './service.child.ts'

// HOLDFAST_FUZZ_SEED repeats a run; HOLDFAST_FUZZ_REQUESTS makes it longer, on each edge.
const seed = Number(process.env['HOLDFAST_FUZZ_SEED'] ?? Date.now() % 2 ** 31)
const requestsPerEdge = Number(process.env['HOLDFAST_FUZZ_REQUESTS'] ?? 50_000)
const edgeNames = ['express', 'fastify'] as const
// One conversation at a time would leave both processes waiting for each other most of the time.
const lanes = 16
const requestsPerBatch = 24
const heapGrowthBytes = 24 * 1024 * 1024

interface Target {
  readonly child: ChildProcess
  readonly url: URL
}
const targets = new Map<string, Target>()

beforeAll(async () => {
  for (const name of edgeNames) {
    const child = fork(fileURLToPath(new URL('service.child.ts', import.meta.url)), [name], {
      execArgv: ['--expose-gc'],
    })
    const [{ url }] = (await once(child, 'message')) as [{ url: string }]
    targets.set(name, { child, url: new URL(url) })
  }
})
afterAll(() => {
  for (const { child } of targets.values()) child.disconnect()
})

async function conditionOf(name: string): Promise<Condition> {
  const { child } = targets.get(name) as Target
  expect(child.exitCode, `the service on ${name} ended`).toBe(null)
  child.send('how are you')
  const [condition] = (await once(child, 'message')) as [Condition]
  return condition
}

/** Several requests for one connection, and how they are sent. */
interface Batch {
  readonly requests: readonly Buffer[]
  readonly manner: Manner
}
const manners: fc.Arbitrary<Manner> = fc.oneof(
  { arbitrary: fc.constant<Manner>({ cuts: [] }), weight: 6 },
  {
    arbitrary: fc
      .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 })
      .map((cuts): Manner => ({ cuts })),
    weight: 3,
  },
  {
    arbitrary: fc.record({
      cuts: fc.constant([]),
      leavesAfterMs: fc.integer({ min: 0, max: 3 }),
      resets: fc.boolean(),
    }),
    weight: 1,
  },
)
// Without the bias towards small values: it is the right requests with one thing wrong that get deep.
const batch: fc.Arbitrary<Batch> = fc.noBias(
  fc.record({
    requests: fc.array(requestBytes, { minLength: 1, maxLength: requestsPerBatch, size: 'max' }),
    manner: manners,
  }),
)

// The last request of each connection asks the server to close it, so that silence means something.
const farewell = Buffer.from('GET /items HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n')

const sent = new Map<string, number>()
const answered = new Map<string, number>()
const statuses = new Map<number, number>()
const count = <Key>(counts: Map<Key, number>, key: Key, by = 1): unknown => counts.set(key, (counts.get(key) ?? 0) + by)

/** Sends a batch; what a server leaves behind when it closes early is sent again on the next connection. */
async function send(edge: string, { requests, manner }: Batch): Promise<Conversation[]> {
  const { url } = targets.get(edge) as Target
  const conversations: Conversation[] = []
  for (let next = 0; next < requests.length;) {
    const rest = requests.slice(next)
    const conversation = await converse(url, Buffer.concat([...rest, farewell]), manner)
    conversations.push(conversation)
    const finals = conversation.answers.filter(({ status }) => status >= 200).length
    // A batch that is abandoned was sent as a whole; else a request counts when something was said to it.
    const taken = manner.leavesAfterMs === undefined ? Math.max(1, Math.min(finals, rest.length)) : rest.length
    next += taken
    count(sent, edge, taken)
    count(answered, edge, finals)
    for (const { status } of conversation.answers) count(statuses, status)
  }
  return conversations
}

// What comes in one piece is read in one piece, so that no edge can have seen less of it when it answers.
const maxWholeBytes = 32_768
const arrivesWhole = ({ requests, manner }: Batch): boolean =>
  manner.cuts.length === 0 &&
  manner.leavesAfterMs === undefined &&
  requests.reduce((bytes, request) => bytes + request.length, 0) < maxWholeBytes

async function proveBatch(one: Batch): Promise<void> {
  const said = await Promise.all(edgeNames.map((edge) => send(edge, one)))
  const isAbandoned = one.manner.leavesAfterMs !== undefined
  const faults = said.flatMap((conversations, at) =>
    conversations.flatMap((conversation) =>
      findFaults(conversation, isAbandoned).map((fault) => `${edgeNames[at]}: ${fault}`),
    ),
  )
  if (arrivesWhole(one)) faults.push(...(await findLastingDifferences(one, said)))
  if (faults.length > 0) throw new Error(faults.slice(0, 5).join('\n'))
}

/** Where the edges differ each time they are asked: on a busy machine a reply may be cut off by our own impatience. */
async function findLastingDifferences(one: Batch, said: readonly Conversation[][]): Promise<string[]> {
  let differences = compareConversations(said[0] ?? [], said[1] ?? [])
  for (let round = 0; differences.length > 0 && round < 2; round++) {
    const again = await Promise.all(edgeNames.map((edge) => send(edge, one)))
    differences = compareConversations(again[0] ?? [], again[1] ?? [])
  }
  return differences
}

describe('given a service on each edge, in processes of their own', () => {
  let hasFailed = false
  const isEnough = (): boolean => hasFailed || edgeNames.every((edge) => (sent.get(edge) ?? 0) >= requestsPerEdge)
  const fire = async (isOver: () => boolean, seedOfLane: number): Promise<void> => {
    for (let round = 0; !isOver(); round++) {
      await fc.assert(fc.asyncProperty(batch, proveBatch), {
        seed: seedOfLane + round * 1000,
        numRuns: 10,
        interruptAfterTimeLimit: 15_000,
        reporter: (run) => {
          if (!run.failed) return
          hasFailed = true
          throw new Error(describeFailure(run.counterexample?.[0], run.errorInstance))
        },
      })
    }
  }

  test(`when ${2 * requestsPerEdge} random and mutated requests come, each gets its reply and both processes stay up`, async () => {
    const warmUp = Math.min(5000, requestsPerEdge / 5)
    await fire(() => edgeNames.every((edge) => (sent.get(edge) ?? 0) >= warmUp), seed)
    const before = await Promise.all(edgeNames.map(conditionOf))

    const startedAt = performance.now()
    const sentBefore = edgeNames.map((edge) => sent.get(edge) ?? 0)
    await Promise.all(Array.from({ length: lanes }, (_, lane) => fire(isEnough, seed + 1 + lane)))
    const seconds = (performance.now() - startedAt) / 1000

    for (const [at, edge] of edgeNames.entries()) {
      const { url, child } = targets.get(edge) as Target
      const live = await fetch(new URL('/livez', url), { headers: { connection: 'close' } })
      expect(live.status).toBe(200)
      await live.arrayBuffer()
      await expect.poll(async () => (await conditionOf(edge)).connections, { timeout: 8000 }).toBe(0)
      const after = await conditionOf(edge)
      const growth = after.heapBytes - (before[at]?.heapBytes ?? 0)
      console.log(
        `fuzz: ${edge} took ${sent.get(edge)} requests and gave ${answered.get(edge)} replies, ${Math.round(((sent.get(edge) ?? 0) - (sentBefore[at] ?? 0)) / seconds)}/s; heap ${toMiB(after.heapBytes)} MiB, ${toMiB(growth)} MiB more than after the warm-up`,
      )
      expect(after.escaped).toEqual([])
      expect(after.pid).toBe(child.pid)
      expect(growth).toBeLessThan(heapGrowthBytes)
    }
    console.log(
      `fuzz: seed ${seed}; replies by status: ${[...statuses]
        .toSorted(([a], [b]) => a - b)
        .map((pair) => pair.join('×'))
        .join(' ')}`,
    )
  }, 240_000)
})

function describeFailure(one: Batch | undefined, error: unknown): string {
  const requests = one?.requests.map((bytes) => JSON.stringify(bytes.toString('latin1')).slice(0, 400)) ?? []
  const manner = JSON.stringify(one?.manner)
  return [
    `HOLDFAST_FUZZ_SEED=${seed} repeats this.`,
    error instanceof Error ? error.message : String(error),
    `The smallest batch that shows it, sent in the manner ${manner}:`,
    ...requests,
  ].join('\n')
}

const toMiB = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1)
