import { shown } from '../../foundation/whole-number.ts'

/** @throws {TypeError} for anything but a text of 1 to 512 characters */
export function assertName(name: string, value: unknown): void {
  if (typeof value !== 'string' || value.length < 1 || value.length > 512) {
    throw new TypeError(`${name} is ${shown(value)}; it must be a text of 1 to 512 characters`)
  }
}

/** @throws {RangeError} for anything but a finite number within the bounds */
export function assertSeconds(name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw new RangeError(`${name} is ${shown(value)}; it must be from ${least} to ${most} seconds`)
  }
}
