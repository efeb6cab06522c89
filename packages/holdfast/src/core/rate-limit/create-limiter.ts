import { systemClock } from '../../foundation/clock.ts'
import { silentLogger } from '../../foundation/logger.ts'
import { Gate, type GateGround } from './gate.ts'
import type { Limiter, LimiterOptions } from './limiter.ts'
import { createMemoryLimitStore } from './memory-limit-store.ts'
import { type PreparedPolicy, preparePolicy } from './policies.ts'
import { Room } from './room.ts'
import { SharedStore } from './shared-store.ts'
import { shown, wholeNumber } from '../../foundation/whole-number.ts'

/**
 * Limits how often something may be done, over all processes that share a store and whatever happens to it: when the
 * store fails, freezes or is slow, calls wait `maxWaitMs` once and this process limits by its own memory until the store
 * is proven back, so each process then admits up to a burst and what is earned, never without limit.
 *
 * A flood costs the store nothing: who is denied is remembered here until the store would allow a call again. Policies
 * that are not `exact` take up to 1024 calls of a busy subject at once, which they use within half a second or give back.
 *
 * @throws {TypeError | RangeError} for an option that is none or out of bounds, naming it and showing what was received
 */
export function createLimiter(options: LimiterOptions): Limiter {
  const policies = preparePolicies(options.policies)
  const everywhere = [...new Set(options.everywhere)]
  for (const name of everywhere) assertForEverywhere(find(policies, name))
  const ground = createGround(options)
  const gates = new Map<string, Gate>()

  /** One gate for the same policies, so that routes which name them alike share its leases and denials. */
  function gateOf(group: readonly PreparedPolicy[]): Gate {
    const id = group.map(({ policy }) => policy).join(' ')
    const gate = gates.get(id) ?? new Gate(group[0]!.by, group, ground)
    gates.set(id, gate)
    return gate
  }

  return {
    everywhere,
    gates: (names) => bySubject([...new Set(names)].map((name) => find(policies, name))).map(gateOf),
    get isShared() {
      return ground.shared?.isAnswering ?? false
    },
  }
}

function preparePolicies(policies: unknown): ReadonlyMap<string, PreparedPolicy> {
  if (typeof policies !== 'object' || policies === null) {
    throw new TypeError(`policies is ${shown(policies)}; it must be an object of policies by name`)
  }
  return new Map(
    Object.entries(policies as LimiterOptions['policies']).map(([name, policy]) => [name, preparePolicy(name, policy)]),
  )
}

function find(policies: ReadonlyMap<string, PreparedPolicy>, name: string): PreparedPolicy {
  const policy = policies.get(name)
  if (policy !== undefined) return policy
  throw new TypeError(`There is no limit ${shown(name)}; there are: ${[...policies.keys()].join(', ') || 'none'}`)
}

function assertForEverywhere({ policy, by }: PreparedPolicy): void {
  if (typeof by !== 'object') return
  throw new TypeError(`everywhere names ${policy}, which counts by the body; calls beside the routes have none`)
}

function createGround(options: LimiterOptions): GateGround {
  const { store, logger = silentLogger, clock = systemClock } = options
  const maxWaitMs = wholeNumber('maxWaitMs', options.maxWaitMs ?? 100, 1, 5000)
  const retryStoreMs = wholeNumber('retryStoreMs', options.retryStoreMs ?? 1000, 100, 60_000)
  const maxKeys = wholeNumber('maxKeys', options.maxKeys ?? 100_000, 1000, 10_000_000)
  return {
    shared: store && new SharedStore({ store, maxWaitMs, retryStoreMs, logger, clock }),
    memory: createMemoryLimitStore({ maxKeys, clock }),
    room: new Room(maxKeys),
    clock,
    maxWaitMs,
  }
}

/** In the order address, principal, body; each member of the body is a subject of its own. */
function bySubject(policies: readonly PreparedPolicy[]): readonly (readonly PreparedPolicy[])[] {
  const groups = new Map<string, PreparedPolicy[]>([
    ['address', []],
    ['principal', []],
  ])
  for (const policy of policies) {
    const subject = typeof policy.by === 'object' ? `body ${policy.by.body}` : policy.by
    groups.set(subject, [...(groups.get(subject) ?? []), policy])
  }
  return [...groups.values()].filter((group) => group.length > 0)
}
