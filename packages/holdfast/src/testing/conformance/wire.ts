import { connect } from 'node:net'

/** One response as it came off the socket. */
export interface WireResponse {
  readonly status: number
  /** Lower-case names with their values, in the order they came, duplicates kept. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** What a server said to some bytes, in order, and whether it then ended the connection. */
export interface Exchange {
  readonly responses: readonly WireResponse[]
  readonly isClosed: boolean
}

export interface ExchangeOptions {
  /** How many final responses to wait for; interim ones (1xx) are kept and not counted. Default 1. */
  readonly expect?: number
  /** Milliseconds until the exchange is given up. Default 5000. */
  readonly timeoutMs?: number
  /** Whether the responses carry no body, as those to HEAD. */
  readonly isHead?: boolean
  /** Sent when the first response of any kind has come: the body after `100 Continue`. */
  readonly then?: string | Uint8Array
}

/**
 * Sends bytes over a socket of its own and reads what comes back. No client library stands between: what is sent may be
 * as broken as it likes.
 *
 * @throws {Error} when the server says nothing in time
 */
export function exchange(url: string, bytes: string | Uint8Array, options: ExchangeOptions = {}): Promise<Exchange> {
  const { expect = 1, timeoutMs = 5000, isHead = false } = options
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''))
    let received = Buffer.alloc(0)
    let later = options.then
    const finish = (isClosed: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ responses: parseResponses(received, isHead, isClosed), isClosed })
    }
    const timer = setTimeout(() => {
      socket.destroy()
      reject(
        new Error(
          `The server at ${url} did not answer in ${timeoutMs} ms; it said ${JSON.stringify(received.toString('latin1').slice(0, 200))}`,
        ),
      )
    }, timeoutMs)
    socket.on('connect', () => socket.write(bytes))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      const responses = parseResponses(received, isHead, false)
      if (later !== undefined && responses.length > 0) {
        socket.write(later)
        later = undefined
      }
      if (responses.filter(isFinal).length < expect) return
      // A server that ends the connection does so at once; one that keeps it says nothing more.
      if (responses.some(announcesClose)) socket.once('close', () => finish(true))
      else finish(false)
    })
    socket.on('error', () => {})
    socket.on('close', () => finish(true))
  })
}

const isFinal = ({ status }: WireResponse): boolean => status >= 200
const announcesClose = ({ headers }: WireResponse): boolean =>
  headers.some(([name, value]) => name === 'connection' && value.toLowerCase() === 'close')

/** All whole responses in the bytes so far. */
function parseResponses(bytes: Buffer, isHead: boolean, isClosed: boolean): WireResponse[] {
  const responses: WireResponse[] = []
  let at = 0
  for (;;) {
    const headEnd = bytes.indexOf('\r\n\r\n', at)
    if (headEnd < 0) return responses
    const [statusLine = '', ...lines] = bytes.subarray(at, headEnd).toString('latin1').split('\r\n')
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
    const status = Number(statusLine.split(' ')[1])
    const length = bodyLength(status, headers, isHead)
    const start = headEnd + 4
    const end = length ?? bytes.length - start
    if (bytes.length < start + end || (length === undefined && !isClosed)) return responses
    responses.push({ status, headers, body: bytes.subarray(start, start + end).toString('utf8') })
    at = start + end
  }
}

/** How many bytes follow the head; `undefined` when the body runs to the end of the connection. */
function bodyLength(status: number, headers: WireResponse['headers'], isHead: boolean): number | undefined {
  if (isHead || status < 200 || status === 204 || status === 304) return 0
  const length = headers.find(([name]) => name === 'content-length')?.[1]
  return length === undefined ? undefined : Number(length)
}
