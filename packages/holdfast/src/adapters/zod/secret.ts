import { z } from 'zod'
import { Secret } from '../../core/config/secret.ts'
import { secretWeakness } from '../../core/config/secret-strength.ts'

export interface SecretOptions {
  /** Least length in UTF-8 bytes. Default 32 */
  readonly minBytes?: number
}

/**
 * A key the service signs or encrypts with: a text that becomes a {@link Secret}. Short, repetitive and placeholder
 * texts are refused, in words that do not show them. Make one with `openssl rand -base64 48`.
 *
 * For passwords and addresses that others chose take {@link sensitive} or {@link connectionUrl}.
 *
 * @throws {RangeError} when `minBytes` is no whole number of at least 1
 */
export function secret(options: SecretOptions = {}): z.ZodType<Secret, string> {
  const minBytes = options.minBytes ?? 32
  if (!Number.isInteger(minBytes) || minBytes < 1)
    throw new RangeError(`minBytes is a whole number ≥ 1, not ${minBytes}`)
  return wrapped((value) => {
    const weakness = secretWeakness(value, minBytes)
    return weakness && `the value ${weakness}; make one with: openssl rand -base64 48`
  })
}

/** Any text that must not be printed, such as a password or a token somebody else issued. Its strength is not judged. */
export function sensitive(): z.ZodType<Secret, string> {
  return wrapped((value) => (value.trim() === '' ? 'the value is blank' : undefined))
}

export interface ConnectionUrlOptions {
  /** Accepted schemes, without colon: `['postgres', 'postgresql']`. Default: any */
  readonly schemes?: readonly string[]
}

/** The address of a server, which may hold a password: a text that becomes a {@link Secret}. */
export function connectionUrl(options: ConnectionUrlOptions = {}): z.ZodType<Secret, string> {
  const schemes = options.schemes?.map((scheme) => scheme.toLowerCase())
  return wrapped((value) => {
    // Not `new URL`: it refuses the host lists that PostgreSQL, MongoDB and Redis take.
    const scheme = /^([a-z][a-z0-9+.-]*):\/\/\S+$/i.exec(value)?.[1]?.toLowerCase()
    if (scheme === undefined)
      return `the value is no address such as ${schemes?.[0] ?? 'scheme'}://user:password@host/name`
    if (schemes && !schemes.includes(scheme))
      return `the address has to start with ${schemes.map((name) => `${name}://`).join(' or ')}`
    return undefined
  })
}

function wrapped(faultOf: (value: string) => string | undefined): z.ZodType<Secret, string> {
  return z.string().transform((value, context) => {
    const fault = faultOf(value)
    if (fault === undefined) return new Secret(value)
    // `input` is left out on purpose: `reportInput` would copy it into the issue.
    context.issues.push({ code: 'custom', message: fault, input: undefined })
    return z.NEVER
  })
}
