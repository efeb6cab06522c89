import { LruMap } from '../../foundation/lru-map.ts'

const maxSessions = 10_000

/** Who wrote when, so that a replica which is not that far yet does not answer them. */
export class WriteMarks {
  readonly #bySession = new LruMap<string, number>(maxSessions)
  readonly #byRequest = new WeakMap<object, number>()
  #everybody = Number.NEGATIVE_INFINITY

  /** @param at - a moment of the clock that is never stepped back */
  note(session: string | undefined, request: object | undefined, at: number): void {
    if (request !== undefined) this.#byRequest.set(request, at)
    if (session === undefined) return
    // Whoever makes room wrote before now: they are not known any more, so everybody waits until now.
    if (this.#bySession.size >= maxSessions) this.#everybody = at
    this.#bySession.set(session, at)
  }

  wroteAt(session: string | undefined, request: object | undefined): number {
    const inRequest = request === undefined ? undefined : this.#byRequest.get(request)
    const inSession = session === undefined ? undefined : this.#bySession.get(session)
    return Math.max(this.#everybody, inRequest ?? Number.NEGATIVE_INFINITY, inSession ?? Number.NEGATIVE_INFINITY)
  }
}
