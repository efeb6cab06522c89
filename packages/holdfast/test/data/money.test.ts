import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { edges } from '../edges.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { saleKinds, schema, transferKinds } from './ledger.ts'
import { Random } from './random.ts'
import { type Answer, isAtRest, patience, quantile, type Service, startService, tally } from './service.ts'

// 64 writers at processes of a service, one on each edge, while its PostgreSQL, the network in between and the processes themselves
// have bad days. Each write has an id of its own, so that afterwards every answer can be held against what is there.

const writers = 64
const accounts = 12
const coins = 60
const piecesPerProduct = 30
const productsPerFault = 3
const applicationName = 'ledger'

interface Write {
  readonly id: string
  readonly kind: string
  readonly answer: Answer
  readonly endedAt: number
}

interface Fault {
  readonly name: string
  /** Does what it does until `signal` aborts or there is nothing more to do. */
  readonly strike: (signal: AbortSignal) => Promise<void>
  readonly heal?: () => Promise<void> | void
  /** How long it lasts. Default 1000 */
  readonly ms?: number
  /** Whether there is no database meanwhile, as readiness has to say. */
  readonly isOutage?: true
}

/** A transaction may take 3000; what it leaves behind on a server that says nothing, 2000 more. */
const longestWaitMs = 8000

describe('given a process on each edge, and 64 writers of transfers and sales', () => {
  let cluster: Cluster
  let services: Service[]
  const random = new Random()
  const all: Write[] = []
  let season = 0
  let stopLoad = (): Promise<void> => Promise.resolve()

  beforeAll(async () => {
    cluster = await startCluster()
    await cluster.query(schema)
    await cluster.query(`insert into accounts select n, ${coins} from generate_series(1, ${accounts}) as n`)
    const options = {
      url: cluster.url,
      applicationName,
      maxConnections: 10,
      connectionTimeoutMs: 700,
      statementTimeoutMs: 600,
      queryTimeoutMs: 800,
      idleInTransactionTimeoutMs: 1000,
      transactionTimeoutMs: 3000,
      closeTimeoutMs: 500,
    }
    services = await Promise.all(Object.keys(edges).map((edge) => startService(edge, options)))
  })
  afterEach(() => stopLoad())
  afterAll(async () => {
    for (const service of services ?? []) service.stop()
    await cluster?.remove()
  })

  const serviceOf = (writer: number): Service => {
    const service = services.at(writer % services.length)
    if (service === undefined) throw new Error('There is no service')
    return service
  }

  /** Calls as fast as answers come, until told to stop. */
  function load(): { readonly writes: Write[]; readonly stop: () => Promise<void> } {
    const writes: Write[] = []
    const state = { isOn: true }
    const work = async (at: number): Promise<void> => {
      for (let n = 0; state.isOn; n += 1) {
        const id = `${season}-${at}-${n}`
        const service = serviceOf(at)
        const { kind, path, body } = at % 2 === 0 ? transfer(id) : sale(id)
        const answer = await service.call(path, body)
        writes.push({ id, kind, answer, endedAt: performance.now() })
        // Nobody who is told that there is nothing to be had asks again at once.
        if (answer.status !== 201 && answer.status !== 409) await sleep(random.whole(2, 15))
      }
    }
    const working = Array.from({ length: writers }, (_, at) => work(at))
    return {
      writes,
      async stop() {
        state.isOn = false
        await Promise.all(working)
      },
    }
  }

  const transfer = (id: string) => {
    const kind = random.pick(transferKinds)
    const payer = random.whole(1, accounts)
    const payee = ((payer + random.whole(0, accounts - 2)) % accounts) + 1
    return {
      kind: `transfer ${kind}`,
      path: '/transfers',
      body: { id, kind, payer, payee, amount: random.whole(1, 9) },
    }
  }
  const sale = (id: string) => {
    const kind = random.pick(saleKinds)
    const body = { id, kind, product: (season - 1) * productsPerFault + random.whole(1, productsPerFault) }
    return { kind: `sale ${kind}`, path: '/sales', body }
  }

  const terminate = (howMany: number): Promise<object[]> =>
    cluster.query(
      `select pg_terminate_backend(pid) from
         (select pid from pg_stat_activity where application_name = $1 order by random() limit $2) as victims`,
      [applicationName, howMany],
    )
  const during = async (signal: AbortSignal, pauseMs: number, act: () => unknown): Promise<void> => {
    for (; !signal.aborted; await sleep(pauseMs)) await act()
  }
  const faults: readonly Fault[] = [
    { name: 'backends are terminated at random', strike: (signal) => during(signal, 30, () => terminate(2)) },
    {
      name: 'one write of five is given up',
      strike: async (signal) => {
        await cluster.query('update weather set conflict_share = 0.1')
        await during(signal, 50, () => {})
      },
      heal: async () => void (await cluster.query('update weather set conflict_share = 0')),
    },
    {
      name: 'connections break in mid-answer',
      strike: (signal) =>
        during(signal, 25, () => {
          if (random.share() < 0.3) cluster.proxy.reset()
          cluster.proxy.cutAfter(random.whole(50, 4000))
        }),
      heal: () => cluster.proxy.pass(),
    },
    {
      name: 'the network holds everything back',
      isOutage: true,
      strike: async (signal) => {
        await cluster.proxy.blackhole()
        await during(signal, 50, () => {})
      },
      heal: () => cluster.proxy.pass(),
    },
    { name: 'a backend crashes', strike: () => cluster.crash(applicationName) },
    {
      name: 'the server is restarted',
      isOutage: true,
      strike: () => cluster.stop(),
      heal: () => cluster.start(),
    },
    {
      name: 'the server freezes',
      isOutage: true,
      ms: 2500,
      strike: () => cluster.freeze(),
      heal: () => cluster.thaw(),
    },
    {
      name: 'the processes are killed in turn',
      strike: async () => {
        for (const service of services) await service.replace()
      },
    },
  ]

  test.each(faults)(
    'when $name, sums hold, nothing is sold twice and every answer is true',
    async ({ name, strike, heal, ms = 1000, isOutage }) => {
      await stockUp()
      const { writes, stop } = load()
      stopLoad = stop
      await vi.waitUntil(() => writes.filter(({ answer }) => answer.status === 201).length > 40, patience)

      const over = new AbortController()
      const struckAt = performance.now()
      const striking = strike(over.signal)
      if (isOutage) await probesSay(503)
      await sleep(Math.max(0, struckAt + ms - performance.now()))
      over.abort()
      await striking
      await heal?.()
      const healedAt = performance.now()
      for (const service of services) await vi.waitUntil(() => isBack(service, writes, healedAt), patience)
      const backMs = performance.now() - healedAt
      await probesSay(200)
      await stop()
      all.push(...writes)

      const waits = writes.filter(({ endedAt }) => endedAt > struckAt).map(({ answer }) => answer.ms)
      const longest = Math.max(...waits)
      await atRest()
      const written = await writtenIds()
      const open = writes.filter(({ answer }) => answer.code === 'database.outcome_unknown')
      console.log(
        `${name}: ${writes.length} writes ${JSON.stringify(tally(writes.map(said)))}, ` +
          `p99 ${quantile(waits, 0.99).toFixed(0)} ms, longest ${longest.toFixed(0)} ms, ` +
          `${open.filter(({ id }) => written.has(id)).length} of ${open.length} unknown ones are there, back after ${backMs.toFixed(0)} ms, seed ${random.seed}`,
      )
      expect(strangers(writes, name)).toEqual([])
      expect(longest).toBeLessThan(longestWaitMs)
      expect(await lies(written)).toEqual([])
      await sumsHold()
    },
  )

  const said = ({ answer }: Write): string => `${answer.status} ${answer.code}`.trim()

  /** New products for each fault, so that there are some to be sold out of. */
  async function stockUp(): Promise<void> {
    season += 1
    await cluster.query(
      `insert into products select $1 * ${productsPerFault} + n, ${piecesPerProduct}
      from generate_series(1, ${productsPerFault}) as n`,
      [season - 1],
    )
  }

  /** Readiness follows the database; liveness does not, or processes would be killed for what is not their fault. */
  async function probesSay(ready: number): Promise<void> {
    for (const service of services) {
      await vi.waitFor(async () => expect((await service.call('/readyz')).status).toBe(ready), patience)
      expect((await service.call('/livez')).status).toBe(200)
    }
  }

  /** Whether the database has answered through this process since. Sold out is an answer, too. */
  function isBack(service: Service, writes: readonly Write[], since: number): boolean {
    return writes.some(({ id, answer, endedAt }) => {
      const isServed = answer.status === 201 || answer.status === 409
      return endedAt > since && isServed && serviceOf(Number(id.split('-')[1])) === service
    })
  }

  /** Nothing of ours is under way any more, in the processes or on the server. */
  async function atRest(): Promise<void> {
    for (const service of services) {
      const { defects } = await isAtRest(service)
      expect(defects).toEqual([])
      expect(service.child.exitCode).toBeNull()
    }
    await vi.waitFor(async () => {
      const busy = await cluster.query(
        `select state, query from pg_stat_activity where application_name = $1 and state <> 'idle'`,
        [applicationName],
      )
      expect(busy).toEqual([])
    }, patience)
  }

  /** Answers that nobody should get. */
  function strangers(writes: readonly Write[], fault: string): Write[] {
    const expected = [201, 409, 503, 504]
    // Whoever was killed says nothing.
    const silent = fault.includes('are killed') ? ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'socket hang up'] : []
    return writes.filter(({ answer }) => ![...expected, ...silent].includes(answer.status))
  }

  async function writtenIds(): Promise<Set<string>> {
    const rows = await cluster.query<{ id: string }>('select id from transfers union all select id from sales')
    return new Set(rows.map(({ id }) => id))
  }

  /** Writes whose answer says otherwise than the tables. */
  async function lies(written: ReadonlySet<string>): Promise<string[]> {
    const announced = (await Promise.all(services.map((service) => service.report()))).flatMap((it) => it.announced)
    const answers = all.flatMap(({ id, kind, answer }) => {
      const isOpen = typeof answer.status === 'string' || answer.code === 'database.outcome_unknown'
      if (isOpen || (answer.status === 201) === written.has(id)) return []
      return [`${kind} ${id}: ${answer.status} ${answer.code}, but ${written.has(id) ? 'there' : 'not there'}`]
    })
    return [...answers, ...announced.filter((id) => !written.has(id)).map((id) => `${id} was announced`)]
  }

  async function sumsHold(): Promise<void> {
    const [money] = await cluster.query(`
      select sum(coins)::int as coins, min(coins) >= 0 as covered,
        (select count(*)::int from accounts as a where coins <> ${coins}
          + coalesce((select sum(amount) from transfers where payee = a.id), 0)
          - coalesce((select sum(amount) from transfers where payer = a.id), 0)) as unbalanced
      from accounts`)
    expect(money).toEqual({ coins: accounts * coins, covered: true, unbalanced: 0 })
    const goods = await cluster.query(`
      select id from products as p where stock < 0
        or stock + (select count(*) from sales where product = p.id) <> ${piecesPerProduct}
        or (select count(distinct piece) <> count(*) from sales where product = p.id)`)
    expect(goods).toEqual([])
  }
})
