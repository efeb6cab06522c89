/** @throws {RangeError} for anything but a whole number within the bounds */
export function wholeNumber(name: string, value: unknown, min: number, max: number): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number
  throw new RangeError(`${name} is ${shown(value)}; it must be a whole number from ${min} to ${max}`)
}

/** A wrong option, as its message shows it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  return String(value)
}
