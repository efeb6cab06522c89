/** What the conformance suite has to know of a service to probe what lies beside its routes. */
export interface ConformanceTarget {
  /** Where it listens: `http://127.0.0.1:3000`. */
  readonly url: string
  /** A path that answers GET with 200, takes no parameters, no query and nothing but GET. */
  readonly readPath: string
  /** A path that answers POST of `writeBody` with success, in JSON, and refuses other members. */
  readonly writePath: string
  /** Called for each write, so that a unique member can differ. */
  readonly writeBody: () => Readonly<Record<string, unknown>>
  /** The limits it was started with, when they are not the defaults. */
  readonly maxBodyBytes?: number
  readonly maxTargetLength?: number
  readonly maxHeaderBytes?: number
  readonly maxJsonDepth?: number
  /** Headers that let the suite in, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
}
