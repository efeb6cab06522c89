import { TooManyRequestsError, withoutStack } from '../../foundation/errors.ts'
import type { LimitDecision, Limiter, LimitGate } from '../rate-limit/limiter.ts'
import type { ActiveCall } from './active-call.ts'

/** The gates of one route, in the order a call meets them. */
export interface RouteLimits {
  readonly address: LimitGate | undefined
  readonly principal: LimitGate | undefined
  readonly body: readonly { readonly gate: LimitGate; readonly member: string }[]
}

const noLimits: RouteLimits = { address: undefined, principal: undefined, body: [] }

/**
 * The limits of a route: those everywhere, and those it names.
 * @throws {TypeError} for a name that no policy has
 */
export function routeLimits(limiter: Limiter | undefined, named: string | readonly string[] = []): RouteLimits {
  const names = [named].flat()
  if (limiter !== undefined) return compileLimits(limiter, [...limiter.everywhere, ...names])
  if (names.length === 0) return noLimits
  throw new TypeError(`it names the limit ${names.join(', ')}, but createHttp has no \`limiter\``)
}

/** @throws {TypeError} for a name that no policy has */
export function compileLimits(limiter: Limiter, names: readonly string[]): RouteLimits {
  const gates = limiter.gates([...new Set(names)])
  return {
    address: gates.find(({ by }) => by === 'address'),
    principal: gates.find(({ by }) => by === 'principal'),
    body: gates.flatMap((gate) => (typeof gate.by === 'object' ? [{ gate, member: gate.by.body }] : [])),
  }
}

/**
 * Counts a call at a gate. Without a promise when the limiter knows the answer.
 * @throws {TooManyRequestsError} when the call is one too many
 */
export function passGate(call: ActiveCall, gate: LimitGate, subject: string): void | Promise<void> {
  const decision = gate.take(subject)
  return decision instanceof Promise
    ? decision.then((decided) => heed(call, gate, subject, decided))
    : heed(call, gate, subject, decision)
}

function heed(call: ActiveCall, gate: LimitGate, subject: string, decision: LimitDecision): void {
  call.noteLimit(gate.policy, decision.state)
  if (!decision.isAllowed) throw tooMany(decision.retryAfterSeconds)
  if (gate.countsFailures) call.noteUnsettled(gate, subject)
}

/** Counts a call by what its body names, such as an account. A body without that member passes. */
export async function passBodyGates(call: ActiveCall, limits: RouteLimits['body']): Promise<void> {
  for (const { gate, member } of limits) {
    const subject = toSubject((call.body as Readonly<Record<string, unknown>> | null | undefined)?.[member])
    if (subject !== undefined) await passGate(call, gate, subject)
  }
}

/**
 * Lists and objects are all one subject. Where no schema has refused them yet, a list of one account may pass for that
 * account further in, and can be spelled in endless ways.
 */
function toSubject(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return value.toString()
  return value === undefined || value === null ? undefined : '\0'
}

const tooMany = (retryAfterSeconds: number): TooManyRequestsError =>
  withoutStack(
    () =>
      new TooManyRequestsError(`This was asked for too often; try again in ${retryAfterSeconds} s.`, {
        retryAfterSeconds,
      }),
  )
