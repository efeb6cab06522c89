// One way to ask PostgreSQL, named by BENCH_CLIENT, that does what it is told as often as it can.
import { answerBench } from '../answer-bench.ts'
import type { Client } from './client-work.ts'

const clients: Readonly<Record<string, () => Promise<{ readonly client: Client }>>> = {
  'pg unnamed': () => import('./pg-unnamed.ts'),
  'pg named': () => import('./pg-named.ts'),
  kysely: () => import('./kysely.ts'),
  holdfast: () => import('./holdfast.ts'),
  'holdfast secured': () => import('./holdfast-secured.ts'),
  'holdfast kysely': () => import('./holdfast-kysely.ts'),
}
const name = process.env['BENCH_CLIENT'] ?? ''
const open = clients[name]
if (open === undefined) throw new TypeError(`There is no client ${name}`)
const { client } = await open()

interface Run {
  readonly work: keyof Client
  readonly inFlight: number
  readonly seconds: number
  /** Numbers of wallets, from 1. */
  readonly wallets: number
}

const works: Readonly<Record<keyof Client, (id: number) => Promise<{ readonly id: number }>>> = {
  find: (id) => client.find(id),
  deposit: (id) => client.deposit(id),
}

answerBench({
  async run(argument) {
    const { work, inFlight, seconds, wallets } = argument as Run
    const one = works[work]
    const ids: number[] = []
    const endsAt = performance.now() + seconds * 1000
    const begun = performance.now()
    const cpu = process.cpuUsage()
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (performance.now() < endsAt) {
          ids.push((await one(1 + Math.floor(Math.random() * wallets))).id)
        }
      }),
    )
    const { user, system } = process.cpuUsage(cpu)
    const done = ids.length
    return { ids, perSecond: (1000 * done) / (performance.now() - begun), cpuMicros: (user + system) / done }
  },
})
