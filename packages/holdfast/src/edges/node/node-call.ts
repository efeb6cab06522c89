import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RawCall } from '../../core/http/raw-call.ts'
import { PayloadTooLargeError, ValidationError, withoutStack } from '../../foundation/errors.ts'
import { keptRequestId } from './request-notes.ts'

/** A request of node:http, handed to the pipeline as it is. */
export class NodeCall implements RawCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: string
  readonly fullTarget: string

  /** @param target - the request target below the mount point; default: all of it */
  constructor(request: IncomingMessage, response: ServerResponse, target?: string, fullTarget?: string) {
    this.request = request
    this.response = response
    this.fullTarget = fullTarget ?? request.url ?? '/'
    this.target = target ?? this.fullTarget
  }

  get method(): string {
    return this.request.method ?? 'GET'
  }

  get headers(): IncomingMessage['headers'] {
    return this.request.headers
  }

  get rawHeaders(): readonly string[] {
    return this.request.rawHeaders
  }

  get httpVersion(): string {
    return this.request.httpVersion
  }

  get requestId(): string | undefined {
    return keptRequestId(this.request)
  }

  get peerAddress(): string | undefined {
    return this.request.socket.remoteAddress
  }

  get isEncrypted(): boolean {
    return (this.request.socket as { encrypted?: boolean }).encrypted === true
  }

  get isGone(): boolean {
    return (this.response.destroyed || this.request.socket.destroyed) && !this.response.writableFinished
  }

  onGone(callback: () => void): void {
    const { response } = this
    if (this.isGone) callback()
    else response.once('close', () => response.writableFinished || callback())
  }

  async readBody(maxBytes: number): Promise<Uint8Array> {
    const { request } = this
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
    if (request.readableDidRead)
      throw new Error('The body was read before the pipeline saw it; mount the routes before any body parser')
    if (request.headers.expect !== undefined && request.httpVersion !== '1.0') this.response.writeContinue()
    return collect(request, maxBytes)
  }
}

function collect(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const onData = (chunk: Buffer): void => {
      size += chunk.byteLength
      chunks.push(chunk)
      if (size > maxBytes) settle(() => reject(tooLarge(maxBytes)))
    }
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)))
    const onClose = (): void => settle(() => reject(aborted()))
    const settle = (finish: () => void): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).pause()
      finish()
    }
    request.on('data', onData).on('end', onEnd).on('close', onClose)
    // The 'close' that follows is the answer; without a listener the error would be uncaught.
    request.on('error', () => {})
  })
}

const aborted = (): ValidationError =>
  withoutStack(() => new ValidationError('The body ended before it was whole.', { code: 'request.aborted' }))
const tooLarge = (maxBytes: number): PayloadTooLargeError =>
  withoutStack(() => new PayloadTooLargeError(`A body may have ${maxBytes} bytes here; send less.`))
