import { connect, type Socket } from 'node:net'

/** One response read off a socket, and what is wrong with its form. */
export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** What a server said on one connection. */
export interface Conversation {
  readonly answers: readonly Answer[]
  /** Bytes that are no whole response. */
  readonly rest: string
  /** How the connection ended: by itself, after we stopped sending, or not at all. */
  readonly end: 'closed' | 'closed after our end' | 'left open'
}

export interface Manner {
  /** Where the bytes are cut into writes of their own, as shares of their length. */
  readonly cuts: readonly number[]
  /** Leaves without reading, after this many milliseconds. */
  readonly leavesAfterMs?: number | undefined
  /** Leaves with a reset instead of an end. */
  readonly resets?: boolean
}

// A server that has answered everything closes at once, because the last request asks for it. One that is silent waits
// for the rest of a request, which never comes.
const silenceMs = 150
const patienceMs = 3000

/** Sends bytes in the given manner and reads until the connection ends. */
export function converse(url: URL, bytes: Buffer, manner: Manner): Promise<Conversation> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let end: Conversation['end'] = 'closed'
    const socket = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: true })
    const silence = setTimeout(() => {
      const heard = chunks.length
      // This process may have been busy while the reply came: look at what waits on the socket before judging.
      setImmediate(() => {
        if (chunks.length > heard || end !== 'closed' || socket.destroyed) return
        end = 'closed after our end'
        socket.end()
        giveUp.refresh()
      })
    }, silenceMs)
    const giveUp = setTimeout(() => {
      end = 'left open'
      socket.destroy()
    }, patienceMs)
    socket.setNoDelay(true)
    socket.on('connect', () => void write(socket, bytes, manner))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      silence.refresh()
    })
    socket.on('end', () => socket.end())
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A reset is a way to close; not getting through at all is a fault of this machine or the end of the server.
      if (error.syscall === 'connect') reject(error)
    })
    socket.on('close', () => {
      clearTimeout(silence)
      clearTimeout(giveUp)
      resolve({ ...readAnswers(Buffer.concat(chunks).toString('latin1')), end })
    })
  })
}

async function write(socket: Socket, bytes: Buffer, { cuts, leavesAfterMs, resets }: Manner): Promise<void> {
  let from = 0
  for (const cut of cuts.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b)) {
    if (cut > from && !socket.destroyed) socket.write(bytes.subarray(from, cut))
    from = Math.max(from, cut)
    await new Promise((resolve) => void setImmediate(resolve))
  }
  if (!socket.destroyed) socket.write(bytes.subarray(from))
  if (leavesAfterMs === undefined) return
  await new Promise((resolve) => void setTimeout(resolve, leavesAfterMs))
  if (resets) socket.resetAndDestroy()
  else socket.destroy()
}

const statusLine = 'HTTP/1.1 '

/**
 * Cuts a stream of bytes into responses. Which of them answer HEAD can't be known of mutated requests, but all our bodies
 * are JSON objects, so a length that is followed by no `{` belongs to a HEAD.
 */
function readAnswers(text: string): Pick<Conversation, 'answers' | 'rest'> {
  const answers: Answer[] = []
  let at = 0
  while (at < text.length) {
    const headEnd = text.indexOf('\r\n\r\n', at)
    if (headEnd < 0 || !text.startsWith(statusLine, at)) break
    const head = text.slice(at, headEnd + 2)
    const status = Number(head.slice(9, 12))
    const length = Number(/\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1] ?? 0)
    const start = headEnd + 4
    const hasBody = length > 0 && text[start] === '{'
    if (hasBody && text.length < start + length) break
    const body = hasBody ? Buffer.from(text.slice(start, start + length), 'latin1').toString('utf8') : ''
    answers.push({ status, head, body })
    at = hasBody ? start + length : start
  }
  return { answers, rest: text.slice(at) }
}
