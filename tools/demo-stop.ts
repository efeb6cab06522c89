// Accident: a person who pressed Ctrl-C, or whose port is taken, reads a stack trace and files a bug.

import { constants } from 'node:os'

/** Ends `npm start` with this one line: what happened, why, and what to do. */
export class Stop extends Error {
  override readonly name = 'Stop'
}

/** Somebody asked for the end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(`Interrupted by ${signal}`)
    this.exitCode = 128 + constants.signals[signal]
  }
}
