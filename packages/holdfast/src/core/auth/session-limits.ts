import { wholeNumber } from '../../foundation/whole-number.ts'
import { toleranceMs } from './revocations.ts'
import { maxListed, maxRevocationMs } from './session-store.ts'
import type { SessionsOptions } from './sessions.ts'

/** The numbers of {@link SessionsOptions}, with every default in place and every bound checked. */
export interface SessionLimits {
  readonly idleMs: number
  readonly lifetimeMs: number
  readonly replayMs: number
  readonly maxPerPrincipal: number
  readonly syncMs: number
  readonly maxStalenessMs: number
}

const yearSeconds = 365 * 86_400

/** @throws {RangeError} for a number out of its bounds, showing it */
export function readSessionLimits(options: SessionsOptions): SessionLimits {
  const { lifetimeSeconds = 90 * 86_400, replaySeconds = 20, syncMs = 5000, maxStalenessSeconds = 60 } = options
  const { idleSeconds = Math.min(14 * 86_400, lifetimeSeconds), maxPerPrincipal = 100 } = options
  wholeNumber('lifetimeSeconds', lifetimeSeconds, 60, yearSeconds)
  wholeNumber('idleSeconds', idleSeconds, 60, lifetimeSeconds)
  wholeNumber('replaySeconds', replaySeconds, 0, 300)
  wholeNumber('maxPerPrincipal', maxPerPrincipal, 1, maxListed)
  wholeNumber('syncMs', syncMs, 50, 60_000)
  wholeNumber('maxStalenessSeconds', maxStalenessSeconds, Math.ceil((2 * syncMs) / 1000), 3600)
  wholeNumber('tokens.lifetimeSeconds', options.tokens.lifetimeSeconds, 1, (maxRevocationMs - toleranceMs) / 1000)
  return {
    idleMs: idleSeconds * 1000,
    lifetimeMs: lifetimeSeconds * 1000,
    replayMs: replaySeconds * 1000,
    maxPerPrincipal,
    syncMs,
    maxStalenessMs: maxStalenessSeconds * 1000,
  }
}
