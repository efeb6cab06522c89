import { setTimeout as sleep } from 'node:timers/promises'
import { adasNote, type Lab } from '../lab.ts'
import type { Outcome, Row } from '../row.ts'
import { inWords, type Received } from '../wire.ts'
import { withoutIsolation, withoutLimiter } from '../without.ts'
import { asMallory } from './validation.ts'

export const isolationRows: readonly Row[] = [
  {
    guard: 'rate limit',
    how: 'no limiter at all',
    attack: 'Two dozen reports at once, each of them a heavy query, so that nobody else gets a connection',
    stoppedBy: 'isolation: reports have connections of their own, so many in line, and the rest is turned away',
    sees: { inPlace: '429 rate_limit.exceeded', guardGone: '503 database.busy, with Retry-After' },
    setting: { connects: (options) => ({ ...options, maxWaiting: 8 }) },
    guardGone: { service: withoutLimiter },
    nextGone: { service: withoutIsolation },
    run: reportAtOnce,
  },
]

const reports = 24

/** Succeeds when others are not served while it lasts. */
async function reportAtOnce(lab: Lab): Promise<Outcome> {
  const { pool, send, people } = lab
  const locking = await pool.connect()
  const refused: Received[] = []
  try {
    // Reports are as heavy as can be: none of them ends before we say so.
    await locking.query('begin')
    await locking.query('lock table orders in access exclusive mode')
    const asked = Array.from({ length: reports }, async () => {
      const received = await asMallory(lab, { path: '/report' })
      if (received.status !== 200) refused.push(received)
    })
    await untilSettled(lab, refused)
    const bystander = await send({
      path: `/notes/${adasNote}`,
      from: '203.0.113.2',
      headers: { authorization: people.ada.bearer },
    })
    await locking.query('rollback')
    await Promise.all(asked)
    return { sees: [...new Set(refused.map(withAdvice))].join(', '), succeeded: bystander.status !== 200 }
  } finally {
    locking.release(true)
  }
}

/** Until each report has a connection, stands in line for one, or was turned away. */
async function untilSettled({ connections }: Lab, refused: readonly Received[]): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const { total, idle, waiting } = connections()
    if (total - idle + waiting + refused.length >= reports) return
    await sleep(20)
  }
  throw new Error('The reports are still on their way')
}

const withAdvice = (received: Received): string =>
  inWords(received) + (received.status === 503 && received.headers['retry-after'] ? ', with Retry-After' : '')
