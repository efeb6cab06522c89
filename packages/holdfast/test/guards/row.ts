import type { Lab, Variant } from './lab.ts'

export type Guard =
  | 'security headers'
  | 'CORS'
  | 'rate limit'
  | 'authentication'
  | 'access at the route'
  | 'ownership in the service'
  | 'ownership in SQL'
  | 'row-level security'
  | 'validation'
  | 'columns by name'
  | 'checked cursors'
  | 'rules in SQL'
  | 'constraints'
  | 'row schema'
  | 'reply allow-list'

/** How an attack ended. */
export interface Outcome {
  /** What the attacker got to see: `404 notes.not_found`. */
  readonly sees: string
  /** Whether they got what they came for. */
  readonly succeeded: boolean
}

/**
 * One line of the page: a guard, an attack on it, and who stops that attack once the guard is gone.
 * A guard is proven by taking it out, and whoever comes next by taking both out: then the attack succeeds.
 */
export interface Row {
  readonly guard: Guard
  /** Which part of the guard goes, or how, where there are several ways. */
  readonly how?: string
  readonly attack: string
  readonly stoppedBy: string
  /** What the attacker sees with all in place, and with the guard gone. */
  readonly sees: { readonly inPlace: string; readonly guardGone: string; readonly nextGone?: string }
  /** What all four services of this row have in common. */
  readonly setting?: Variant
  readonly guardGone: Variant
  /** Missing where whoever comes next is part of the guard and can't be taken out alone. */
  readonly nextGone?: Variant
  /** Default: what {@link guardGone} and {@link nextGone} take out together. */
  readonly bothGone?: Variant
  readonly run: (lab: Lab) => Promise<Outcome>
}

/** What nothing stops once the guard is gone. Proven as well: the attack succeeds. */
export interface Unclaimed {
  readonly guard: Guard
  readonly attack: string
  readonly why: string
  readonly guardGone: Variant
  readonly run: (lab: Lab) => Promise<Outcome>
}
