import { freeze, kill } from '../../faults/processes.ts'
import { adasNote, type Lab, password } from '../lab.ts'
import type { Outcome, Row, Unclaimed } from '../row.ts'
import { callsAllowed, guessesAllowed } from '../service.ts'
import { inWords, type Received } from '../wire.ts'
import { withoutLimiter } from '../without.ts'

const noLimiter = { service: withoutLimiter }
const bound = { maxConcurrent: 2, maxQueued: 6 }
/** Dear enough that a flood arrives before it is through. */
const dear = { memoryKiB: 19_456, iterations: 4 }

const withoutRedis = [
  { how: 'Redis is killed in the middle', guardGone: { mishap: ({ pid }) => kill(pid) } },
  { how: 'Redis is frozen in the middle', guardGone: { mishap: ({ pid }) => freeze(pid) } },
] satisfies Partial<Row>[]

const countedHere = {
  guard: 'rate limit',
  stoppedBy: 'the memory limiter of the process',
  sees: { inPlace: '429 rate_limit.exceeded (counted in Redis)', guardGone: '429 rate_limit.exceeded' },
  setting: { isShared: true },
  bothGone: noLimiter,
} satisfies Partial<Row>

export const rateLimitRows: readonly Row[] = [
  ...withoutRedis.map((gone) => ({
    ...countedHere,
    ...gone,
    attack: "Ada's password is guessed, from an address of its own each time",
    run: guess,
  })),
  ...withoutRedis.map((gone) => ({
    ...countedHere,
    ...gone,
    attack: 'One address calls without end',
    run: callWithoutEnd,
  })),
  {
    guard: 'rate limit',
    how: 'no limiter at all',
    attack: 'Two dozen sign-ins at once, to have the process hash itself to death',
    stoppedBy: 'bounded hashing: so many at once, so many in line, the rest is turned away',
    sees: { inPlace: '429 rate_limit.exceeded', guardGone: '503 auth.busy' },
    setting: { hashing: { ...dear, ...bound } },
    guardGone: noLimiter,
    nextGone: { hashing: { ...dear, maxConcurrent: 2, maxQueued: 10_000 } },
    run: signInAtOnce,
  },
]

export const rateLimitUnclaimed: readonly Unclaimed[] = [
  {
    guard: 'rate limit',
    attack: 'A password is guessed, one guess after the other, for as long as it takes',
    why: 'Bounded hashing keeps the process alive and makes guesses slow; it does not count them. Only a limiter does.',
    guardGone: noLimiter,
    run: guess,
  },
]

const guesses = 20

/** The last guess is the right one. */
async function guess({ send, people, mishap, isCountedInRedis }: Lab): Promise<Outcome> {
  let last: Received | undefined
  for (let count = 1; count <= guesses; count += 1) {
    if (count === guessesAllowed - 1) await mishap()
    const body = { email: people.ada.email, password: count === guesses ? password : `guess ${count}` }
    last = await send({ method: 'POST', path: '/auth/login', body, from: `203.0.113.${count}` })
  }
  return { sees: inWords(last as Received) + where(isCountedInRedis), succeeded: last?.status === 200 }
}

/** Counters begin anew in the memory of the process, so that up to two quotas get through. */
async function callWithoutEnd({ send, mishap, isCountedInRedis }: Lab): Promise<Outcome> {
  let answered = 0
  let last: Received | undefined
  for (let count = 1; count <= 4 * callsAllowed; count += 1) {
    if (count === callsAllowed / 2) await mishap()
    last = await send({ path: '/about' })
    if (last.status === 200) answered += 1
  }
  return { sees: inWords(last as Received) + where(isCountedInRedis), succeeded: answered > 3 * callsAllowed }
}

const where = (isCountedInRedis: Lab['isCountedInRedis']): string => (isCountedInRedis() ? ' (counted in Redis)' : '')

async function signInAtOnce({ send, people, mostJudgedAtOnce }: Lab): Promise<Outcome> {
  const attempts = Array.from({ length: 24 }, (_, at) =>
    send({ method: 'POST', path: '/auth/login', body: { email: `nobody${at}@notes.example`, password: 'guess' } }),
  )
  // Of others, from elsewhere, while it lasts.
  const bystanders = await Promise.all([
    send({ path: '/about', from: '203.0.113.1' }),
    send({ path: `/notes/${adasNote}`, from: '203.0.113.2', headers: { authorization: people.ada.bearer } }),
  ])
  const refusals = new Set((await Promise.all(attempts)).map(inWords))
  // What was judged and found wrong is no refusal of a flood.
  refusals.delete('401 auth.login_failed')
  const areServed = bystanders.every(({ status }) => status === 200)
  const mostAllowed = bound.maxConcurrent + bound.maxQueued
  return {
    sees: refusals.size === 0 ? 'every guess is judged' : [...refusals].toSorted().join(', '),
    succeeded: !areServed || mostJudgedAtOnce() > mostAllowed,
  }
}
