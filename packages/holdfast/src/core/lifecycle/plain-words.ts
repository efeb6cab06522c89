/** What a person needs to read of something thrown, whatever it is. Never throws. */
export function plainWords(thrown: unknown): string {
  try {
    if (typeof thrown !== 'object' || thrown === null) return String(thrown)
    const { message, code, errors, name } = thrown as Readonly<Record<string, unknown>>
    if (typeof message === 'string' && message !== '') return message
    // A refused connection to a name with several addresses is an AggregateError without a message.
    if (Array.isArray(errors) && errors.length > 0) return errors.slice(0, 5).map(plainWords).join('; ')
    return [code, name].find((word) => typeof word === 'string') ?? 'unknown error'
  } catch {
    return 'an error that cannot be read'
  }
}

/**
 * The code the process should exit with after `thrown`: its own `exitCode` (settings errors say 78, EX_CONFIG), else 1.
 * An error that names its code is meant for the operator: its message says all, a stack would only bury it.
 */
export function exitCodeOf(thrown: unknown): { readonly code: number; readonly isForOperator: boolean } {
  try {
    const code = (thrown as { exitCode?: unknown } | null | undefined)?.exitCode
    if (typeof code === 'number' && Number.isInteger(code) && code > 0 && code < 256)
      return { code, isForOperator: true }
  } catch {
    // A getter that throws names no code.
  }
  return { code: 1, isForOperator: false }
}
