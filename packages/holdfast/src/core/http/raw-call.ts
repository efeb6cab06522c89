/** One request as an edge hands it in: what came on the wire, nothing interpreted. Each edge fills this port. */
export interface RawCall {
  readonly method: string
  /** The request target below the mount point: `/products?limit=3`. */
  readonly target: string
  /** The request target as it came. */
  readonly fullTarget: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Names and values in turn, duplicates kept. */
  readonly rawHeaders: readonly string[]
  readonly httpVersion: string
  readonly peerAddress: string | undefined
  /** Whether the connection to us is TLS. */
  readonly isEncrypted: boolean
  /** The id this request was given before the pipeline saw it, if it was. */
  readonly requestId: string | undefined
  /** Whether the client has gone, so that nobody reads the reply. */
  readonly isGone: boolean
  /**
   * Reads the whole body, or stops as soon as it grows beyond `maxBytes`.
   * @throws {PayloadTooLargeError} beyond `maxBytes`
   * @throws {ValidationError} `request.aborted` when the client went away in the middle; nobody will read it
   */
  readBody(maxBytes: number): Promise<Uint8Array>
  /** Calls back once when the connection ends before the reply was sent. */
  onGone(callback: () => void): void
}

/** One reply as an edge writes it. */
export interface WireReply {
  readonly status: number
  /** Names in lower case and values in turn. */
  readonly headers: string[]
  readonly body: string | undefined
  /** Whether the connection ends after this reply, because what follows on it can't be trusted. */
  readonly closes: boolean
}
