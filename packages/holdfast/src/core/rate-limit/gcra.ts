import type { LimitCounter } from './limit-store.ts'

// All there is to know of a counter is when it will be full again, in the milliseconds of whoever keeps it.
// The script in adapters/redis/limit-store.ts follows this file line by line.

/** Sums of fractions miss a whole call by a hair, so a call comes early by a thousandth of its interval, at most 1 ms. */
const tolerance = ({ intervalMs }: LimitCounter): number => Math.min(0.001, 1 / intervalMs)

/** When the counter is full, after what is stored about it. */
export function fullAt(counter: LimitCounter, stored: number | undefined, now: number): number {
  if (stored === undefined || !(stored > now)) return now
  // Further ahead than empty: the clock was stepped back since. Without this it would deny for as long as the step.
  return Math.min(stored, now + (counter.burst + tolerance(counter)) * counter.intervalMs)
}

/** Whole calls there are, `resetMs` before the counter is full. */
export function callsLeft(counter: LimitCounter, resetMs: number): number {
  return Math.max(0, Math.floor(counter.burst - resetMs / counter.intervalMs + tolerance(counter)))
}

/** Milliseconds until {@link callsLeft} says one, `resetMs` before the counter is full. */
export function msToNextCall(counter: LimitCounter, resetMs: number): number {
  return Math.max(0, resetMs - (counter.burst - 1 + tolerance(counter)) * counter.intervalMs)
}

/** How many calls to take: those that are here, then spare ones, near the limit fewer and fewer. */
export function callsGranted(left: number, calls: number, spare: number): number {
  if (left <= calls) return left
  return calls + Math.min(spare, Math.floor((left - calls) / 8))
}

export function fullAfterTake(counter: LimitCounter, full: number, calls: number): number {
  return full + calls * counter.intervalMs
}

/** `heldMs` is how long ago the calls were taken; below zero, the clock was stepped back and nobody knows. */
export function fullAfterReturn(counter: LimitCounter, full: number, calls: number, heldMs: number): number {
  if (heldMs < 0) return full
  return full - Math.max(0, calls * counter.intervalMs - heldMs)
}
