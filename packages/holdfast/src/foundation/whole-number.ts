/**
 * An option that is a whole number within its bounds.
 * @throws {RangeError} for anything else, naming the option, showing what was received and saying what is allowed
 */
export function wholeNumber(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
  throw new RangeError(`${name} is ${shown(value)}; it must be a whole number from ${least} to ${most}`)
}

/** A wrong option, as its message shows it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  return String(value)
}
