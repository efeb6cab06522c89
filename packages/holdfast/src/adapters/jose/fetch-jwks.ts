import type { Clock } from '../../foundation/clock.ts'
import { isObject } from './compact-token.ts'
import type { Jwk } from './jwk.ts'

export interface FetchJwksOptions {
  readonly url: URL
  /** For the whole answer, not for its first byte. */
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly clock: Clock
}

/**
 * Fetches a published key set: no redirects, one time limit for everything, never more bytes in memory than the limit
 * and one piece.
 *
 * @throws {Error} saying in a few words of ours what went wrong, with the cause
 */
export async function fetchJwks(options: FetchJwksOptions): Promise<readonly Jwk[]> {
  const abort = new AbortController()
  const timer = options.clock.schedule(options.timeoutMs, () =>
    abort.abort(new Error(`no whole answer within ${options.timeoutMs} ms`)),
  )
  try {
    return readKeys(await fetchText(options, abort))
  } catch (error) {
    if (abort.signal.aborted) throw abort.signal.reason
    throw error
  } finally {
    timer.cancel()
    // Whatever was not read is not wanted; the connection goes with it.
    abort.abort()
  }
}

async function fetchText({ url, maxBytes }: FetchJwksOptions, abort: AbortController): Promise<string> {
  const response = await connect(url, abort.signal)
  if (response.status !== 200) throw new Error(`status ${response.status}`)
  const pieces: Uint8Array[] = []
  let bytes = 0
  // Counted as they come out of decompression, so that a small answer does not grow large here.
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength
    if (bytes > maxBytes) throw new Error(`more than ${maxBytes} bytes`)
    pieces.push(piece)
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces))
}

// A connection kept for minutes is likely to be dead when it is needed.
const headers = { accept: 'application/jwk-set+json, application/json', connection: 'close' }

async function connect(url: URL, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, redirect: 'manual', headers })
  } catch (cause) {
    throw new Error('no connection', { cause })
  }
}

function readKeys(text: string): readonly Jwk[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new Error('an answer that is not JSON')
  }
  const keys: unknown = isObject(parsed) ? parsed['keys'] : undefined
  if (!Array.isArray(keys)) throw new Error('an answer that is no key set')
  return keys.filter(isObject)
}
