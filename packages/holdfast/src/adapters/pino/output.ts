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
    // One byte: a line starts on its way at once, and lines that come while one is written leave together. A larger
    // figure would hold back the last lines before a kill, and `flush` would call back with lines still waiting.
    minLength: 1,
    maxLength: maxWaitingBytes,
  })
  let dropped = 0
  // The log's own troubles (a full disk, a closed pipe) must not end the service.
  stream.on('error', () => {})
  stream.on('drop', () => dropped++)
  stream.on('drain', () => {
    const lines = dropped
    dropped = 0
    if (lines > 0) onDropped(lines)
  })
  return {
    write: (line) => stream.write(line),
    flush: () => settled((done) => stream.flush(done)),
  }
}

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
