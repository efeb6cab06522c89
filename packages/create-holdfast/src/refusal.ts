/** Ends the command with these words: what happened, why, and what to do. Nothing else is printed, no stack. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** What a caller can tell apart: 1 it failed; 2 it was asked wrongly and tried nothing; 130 somebody interrupted it. */
export type ExitCode = 1 | 2 | 130

export const wrongUsage = (message: string): Refusal => new Refusal(2, message)
export const failed = (message: string, cause?: unknown): Refusal => new Refusal(1, message, { cause })
export const interrupted = (state = 'Nothing was left behind.'): Refusal => new Refusal(130, `Interrupted. ${state}`)
