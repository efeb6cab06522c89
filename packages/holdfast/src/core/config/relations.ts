import { ConfigError } from './config-error.ts'

/** A rule that ties several settings together, worked out: does it hold, and what to say when it does not. */
export interface Relation {
  readonly holds: boolean
  /** What is wrong and what to do: "POOL_SIZE × INSTANCES is 200, the database takes 100; lower one of them". */
  readonly message: string
}

/**
 * Checks rules between settings, all of them, before anything starts.
 *
 * @example
 * assertRelations([
 *   {
 *     holds: settings.DRAIN_DELAY_MS + settings.STOP_TIMEOUT_MS < settings.TERMINATION_GRACE_MS,
 *     message: 'DRAIN_DELAY_MS + STOP_TIMEOUT_MS must stay under TERMINATION_GRACE_MS, or the process is killed mid-stop',
 *   },
 * ])
 * @throws {ConfigError} listing every rule that does not hold
 */
export function assertRelations(relations: readonly Relation[]): void {
  const broken = relations.filter((relation) => relation.holds !== true).map((relation) => relation.message)
  if (broken.length > 0) throw new ConfigError(broken)
}
