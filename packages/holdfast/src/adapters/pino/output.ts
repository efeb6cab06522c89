import { pino } from 'pino'
import { systemClock } from '../../foundation/clock.ts'

/** Where lines go: a file descriptor, the path of a file, or anything that takes text, such as a stream. */
export type LogDestination = number | string | LogSink

export interface LogSink {
  write(line: string): unknown
}

/** Takes lines without making the caller wait, and says when they are out. */
export interface Output extends LogSink {
  /** Resolves when all lines so far are written, or after 5 seconds. Never rejects. */
  flush(): Promise<void>
}

/** Longer than the lifecycle waits for its last lines, so that it can tell a stuck output from a flushed one. */
const flushTimeoutMs = 5000
/** Lines wait in memory while nobody reads them; beyond this they are dropped rather than kept. */
const maxWaitingBytes = 16 * 1024 * 1024

/**
 * @param onDropped - called once output flows again, with the number of lines that were dropped meanwhile
 */
export function openOutput(destination: LogDestination, onDropped: (lines: number) => void): Output {
  return typeof destination === 'object' ? sinkOutput(destination) : fileOutput(destination, onDropped)
}

function fileOutput(destination: number | string, onDropped: (lines: number) => void): Output {
  const stream = pino.destination({
    dest: destination,
    sync: false,
    // One byte: what is sent starts on its way at once. With a larger figure `flush` calls back with lines still waiting.
    minLength: 1,
    maxLength: maxWaitingBytes,
  })
  let dropped = 0
  // The log's own troubles (a full disk, a closed pipe) must not end the service.
  stream.on('error', () => {})
  stream.on('drop', (lines: string) => (dropped += lines.split('\n').length - 1))
  stream.on('drain', () => {
    const lines = dropped
    dropped = 0
    if (lines > 0) onDropped(lines)
  })
  const batch = createBatch(
    (lines) => stream.write(lines),
    () => stream.flushSync(),
  )
  return {
    write: (line) => batch.add(line),
    flush: () => {
      batch.send()
      return settled((done) => stream.flush(done))
    },
  }
}

interface Batch {
  add(line: string): void
  send(): void
}

// What a process killed without warning may take with it. Each write costs a turn of the thread pool, under load more
// than the line itself, so lines of a few milliseconds leave together.
const batchMs = 10
const batchLength = 65_536

function createBatch(write: (lines: string) => unknown, writeOut: () => void): Batch {
  let waiting = ''
  const send = (): void => {
    if (waiting === '') return
    const lines = waiting
    waiting = ''
    unsent.delete(sendAtExit)
    write(lines)
  }
  const sendAtExit = (): void => {
    send()
    writeOut()
  }
  return {
    add(line) {
      if (waiting === '') {
        unsent.add(sendAtExit)
        setTimeout(send, batchMs).unref()
      }
      waiting += line
      if (waiting.length >= batchLength) send()
    },
    send,
  }
}

// Batches with lines in them, for an exit that nobody announced.
const unsent = new Set<() => void>()
process.on('exit', () => {
  for (const sendAtExit of unsent) {
    try {
      sendAtExit()
    } catch {
      // The output may be gone; the exit goes on.
    }
  }
})

function sinkOutput(sink: LogSink): Output {
  const isStream = (value: object): value is NodeJS.WritableStream => 'writableLength' in value
  return {
    write: (line) => sink.write(line),
    // A stream calls back when everything before is written.
    flush: () => settled((done) => (isStream(sink) ? sink.write('', done) : done())),
  }
}

function settled(task: (done: () => void) => unknown): Promise<void> {
  return new Promise((resolve) => {
    const timer = systemClock.schedule(flushTimeoutMs, resolve)
    const done = (): void => {
      timer.cancel()
      resolve()
    }
    try {
      task(done)
    } catch {
      done()
    }
  })
}
