import { wholeNumber } from '../../foundation/whole-number.ts'
import type { OutboundCalls } from './outbound-calls.ts'

/** The pool of whatever says nothing else. */
export const defaultWorkload = 'interactive'

export const hourMs = 3_600_000

/** @throws {TypeError} for a name that no pool of a class of work may have */
export function assertWorkloadName(name: string): void {
  if (name !== defaultWorkload && /^[a-z][a-z0-9_-]{0,31}$/.test(name)) return
  throw new TypeError(
    `A workload is named with a-z, 0-9, _ and - and not \`${defaultWorkload}\`, which is the database's own; received ${JSON.stringify(name)}`,
  )
}

/** By which name the server sees the connections of a pool. */
export function nameOnServer(applicationName: string, workload: string): string {
  return workload === defaultWorkload ? applicationName : `${applicationName} ${workload}`
}

/** Says which part of the options is meant. */
export function withinPart<Result>(part: string, read: () => Result): Result {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof RangeError) throw new RangeError(`${part}: ${thrown.message}`, { cause: thrown })
    if (thrown instanceof TypeError) throw new TypeError(`${part}: ${thrown.message}`, { cause: thrown })
    throw thrown
  }
}

/** @throws {RangeError} for what is no whole number of milliseconds from 1 to an hour */
export function milliseconds<Name extends string>(
  options: { readonly [Key in Name]?: number | undefined },
  name: Name,
  byDefault: number,
): number {
  return wholeNumber(name, options[name] ?? byDefault, 1, hourMs)
}

/** @throws {TypeError} for what is none of them */
export function readOutboundCalls(outboundCalls: OutboundCalls = 'warn'): OutboundCalls {
  if (['warn', 'refuse', 'allow'].includes(outboundCalls)) return outboundCalls
  throw new TypeError(`outboundCalls is warn, refuse or allow; received ${String(outboundCalls)}`)
}
