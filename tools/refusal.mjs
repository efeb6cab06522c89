// Accident: a person who only lacks a network reads forty lines of stack trace and files a bug.

/** Stops the command with this one line: what happened, why, and what to do. */
export class Refusal extends Error {
  name = 'Refusal'
}
