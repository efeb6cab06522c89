const maxSessions = 10_000

/** Who wrote when, so that a replica which is not that far yet does not answer them. */
export class WriteMarks {
  /** In the order of writing. */
  readonly #bySession = new Map<string, number>()
  // Kept, because a new iterator walks over all that was deleted before the oldest entry.
  readonly #oldestFirst = this.#bySession.entries()
  readonly #byRequest = new WeakMap<object, number>()
  /** When the last of those wrote who are not known any more. */
  #anybody = Number.NEGATIVE_INFINITY

  /** How many sessions are known. */
  get size(): number {
    return this.#bySession.size
  }

  /** @param at - a moment of a clock that is never stepped back */
  note(sessions: readonly string[], request: object | undefined, at: number): void {
    if (request !== undefined) this.#byRequest.set(request, at)
    for (const session of sessions) {
      this.#bySession.delete(session)
      this.#bySession.set(session, at)
      if (this.#bySession.size > maxSessions) this.#forgetOldest()
    }
  }

  // Whatever the iterator gives is deleted, so all that is left lies ahead of it.
  #forgetOldest(): void {
    const [session, wroteAt] = this.#oldestFirst.next().value as [string, number]
    this.#bySession.delete(session)
    this.#anybody = Math.max(this.#anybody, wroteAt)
  }

  wroteAt(sessions: readonly string[], request: object | undefined): number {
    const inRequest = (request && this.#byRequest.get(request)) ?? Number.NEGATIVE_INFINITY
    const inSessions = sessions.map((session) => this.#bySession.get(session) ?? Number.NEGATIVE_INFINITY)
    return Math.max(this.#anybody, inRequest, ...inSessions)
  }
}
