import { z } from 'zod'
import { parseCidr } from '../../core/http/ip.ts'

/**
 * A whole number as settings have it: digits and nothing else. `z.coerce.number()` takes a blank for 0 and `0x50` for 80.
 *
 * @throws {RangeError} when `least` is above `most`
 */
export function wholeNumber(least: number, most: number): z.ZodType<number, string> {
  if (!(least <= most)) throw new RangeError(`A whole number from ${least} to ${most} there is none`)
  const range = `a whole number from ${least} to ${most}`
  return z.string().transform((text, context) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    // `input` is left out on purpose: a setting's value is not for the log.
    context.issues.push({ code: 'custom', message: `the value has to be ${range}, in digits`, input: undefined })
    return z.NEVER
  })
}

/** Networks or addresses with commas between, such as `10.0.0.0/8, 2001:db8::/32`; at least one. */
export function networks(): z.ZodType<readonly string[], string> {
  return z.string().transform((text, context) => {
    const list = text.split(',').map((network) => network.trim())
    if (list.every(isNetwork)) return list
    const message = 'the value has to be networks such as 10.0.0.0/8, none wider than that, with commas between'
    context.issues.push({ code: 'custom', message, input: undefined })
    return z.NEVER
  })
}

function isNetwork(text: string): boolean {
  try {
    parseCidr(text)
    return true
  } catch {
    return false
  }
}
