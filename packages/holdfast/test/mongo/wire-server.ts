import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import mongoose from 'mongoose'
import { readRequest, splitMessages, writeReply } from './wire-messages.ts'
import type { Document, WireRequest } from './wire-messages.ts'

export type { Document } from './wire-messages.ts'

const { Binary, Long, ObjectId, Timestamp } = mongoose.mongo

/** A command as it came over the wire. Greetings (`hello`) and goodbyes (`endSessions`) are not among them. */
export interface WireCommand {
  /** `find`, `insert`, `commitTransaction` … */
  readonly name: string
  readonly database: string
  /** What the command is about: the value beside its name, when that is a text. */
  readonly collection: string | undefined
  /** The whole command. Documents of an insert, updates and deletes stand under their names whichever way they came. */
  readonly body: Document
  /** Of the session, as hexadecimal digits. */
  readonly lsid: string | undefined
  readonly txnNumber: number | undefined
  /** False inside of a transaction. Retryable writes have a `txnNumber` and no `autocommit`. */
  readonly autocommit: boolean | undefined
  /** True on the first command of a transaction. */
  readonly startTransaction: boolean
  /** Counts connections from 1, those of the driver's monitor among them. */
  readonly connection: number
}

/** No answer comes, and the connection stays. */
export const hang: unique symbol = Symbol('hang')
/** No answer comes, and the connection breaks (RST). */
export const cut: unique symbol = Symbol('cut')

/** `undefined` is a bare `{ ok: 1 }`. */
export type WireAnswer = Document | typeof hang | typeof cut | undefined

/**
 * Answers one command. Commands of one connection come one after another, those of several at the same time.
 * An error that it throws is sent as code 8 (UnknownError) and kept in {@link WireServer.defects}.
 */
export type WireHandler = (command: WireCommand, server: WireServer) => WireAnswer | Promise<WireAnswer>

/**
 * A MongoDB primary of a replica set of one, on 127.0.0.1, that speaks the wire protocol and answers as a test says.
 * It knows how to greet and nothing else: it keeps no documents and no transactions.
 */
export interface WireServer {
  /** With the name of a database, `shop`. */
  readonly url: string
  readonly port: number
  /** Each command that was received, in order, also those that got no answer. */
  readonly commands: readonly WireCommand[]
  /** What handlers threw; a test that ends with some has a mistake of its own. */
  readonly defects: readonly unknown[]
  /** Connections that are open now. */
  readonly openConnections: number
  /** The numbers of the connections that are open now, as in {@link WireCommand.connection}. */
  connections(): readonly number[]
  /** Commands received so far, by name. */
  names(): string[]
  /** Resolves as soon as `count` commands of that name were received, since the start. */
  received(name: string, count?: number): Promise<WireCommand>
  /** Greets as a secondary, and answers what wants a primary by 10107, before any handler is asked. */
  stepDown(): void
  /** Is the primary again, of a new term. */
  stepUp(): void
  /** Greets as a server of no replica set. Before anybody connects, and for URLs without `replicaSet`. */
  standAlone(): void
  /** Breaks every connection that stands (RST). */
  cutAll(): void
  /** Stops listening and breaks what stands. */
  close(): Promise<void>
}

/** @param port - of 127.0.0.1. Default: any that is free */
export async function startWireServer(handler: WireHandler, port = 0): Promise<WireServer> {
  const primary = new ScriptedPrimary(handler)
  await primary.listen(port)
  return primary
}

/**
 * An error as MongoDB sends it.
 *
 * @param more - further members, such as `errorLabels`, `keyPattern` and `keyValue`
 */
export function failure(code: number, codeName: string, more: Document = {}): Document {
  return { ok: 0, code, codeName, errmsg: `${codeName} (scripted)`, ...more }
}

/** What an insert, update or delete answers when some of its writes were refused. */
export function writeErrors(...errors: readonly { code: number; errmsg: string; [more: string]: unknown }[]): Document {
  return { ok: 1, n: 0, nModified: 0, writeErrors: errors.map((error, index) => ({ index, ...error })) }
}

/** What `find` and `aggregate` answer: all documents at once, and the cursor is at its end. */
export function firstBatch(command: WireCommand, documents: readonly Document[]): Document {
  return { cursor: { id: Long.ZERO, ns: `${command.database}.${command.collection}`, firstBatch: documents } }
}

class ScriptedPrimary implements WireServer {
  readonly commands: WireCommand[] = []
  readonly defects: unknown[] = []
  readonly #handler: WireHandler
  readonly #sockets = new Map<Socket, number>()
  readonly #waiting = new Set<() => void>()
  readonly #server = createServer((socket) => this.#accept(socket))
  #accepted = 0
  #clusterTime = 0
  #term = 1
  #isPrimary = true
  #isAlone = false

  constructor(handler: WireHandler) {
    this.#handler = handler
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `mongodb://127.0.0.1:${this.port}/shop?replicaSet=rs0&heartbeatFrequencyMS=500`
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  connections(): readonly number[] {
    return [...this.#sockets.values()]
  }

  names(): string[] {
    return this.commands.map(({ name }) => name)
  }

  async received(name: string, count = 1): Promise<WireCommand> {
    for (;;) {
      const command = this.commands.filter((one) => one.name === name)[count - 1]
      if (command !== undefined) return command
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  stepDown(): void {
    this.#isPrimary = false
  }

  stepUp(): void {
    this.#isPrimary = true
    this.#term += 1
  }

  standAlone(): void {
    this.#isAlone = true
  }

  cutAll(): void {
    for (const socket of this.#sockets.keys()) socket.resetAndDestroy()
  }

  async close(): Promise<void> {
    this.cutAll()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket): void {
    this.#accepted += 1
    const connection = this.#accepted
    this.#sockets.set(socket, connection)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let rest: Buffer = Buffer.alloc(0)
    let before: Promise<void> = Promise.resolve()
    socket.on('data', (bytes) => {
      const split = splitMessages(Buffer.concat([rest, bytes]))
      rest = split.rest
      for (const message of split.messages) {
        const request = readRequest(message)
        before = before.then(() => this.#answer(socket, connection, request))
      }
    })
  }

  async #answer(socket: Socket, connection: number, request: WireRequest): Promise<void> {
    const reply = await this.#replyTo(request.command, connection)
    if (socket.destroyed) return
    if (reply === cut) {
      socket.resetAndDestroy()
      return
    }
    if (reply === hang || !request.wantsReply) return
    socket.write(writeReply(request, { ok: 1, ...reply, ...this.#clusterTimeNow() }))
  }

  #replyTo(body: Document, connection: number): WireAnswer | Promise<WireAnswer> {
    const name = Object.keys(body)[0] ?? ''
    if (['hello', 'isMaster', 'ismaster'].includes(name)) return this.#greeting()
    if (name === 'endSessions') return undefined
    const command = toCommand(name, body, connection)
    this.commands.push(command)
    this.#wake()
    if (!this.#isPrimary && !mayAskSecondary(body)) return failure(10107, 'NotWritablePrimary')
    return this.#handle(command)
  }

  async #handle(command: WireCommand): Promise<WireAnswer> {
    try {
      return await this.#handler(command, this)
    } catch (defect) {
      this.defects.push(defect)
      return failure(8, 'UnknownError', { errmsg: String(defect) })
    }
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }

  #greeting(): Document {
    const address = `127.0.0.1:${this.port}`
    return {
      helloOk: true,
      ismaster: this.#isPrimary,
      isWritablePrimary: this.#isPrimary,
      secondary: !this.#isPrimary,
      ...(!this.#isAlone && this.#membership(address)),
      maxBsonObjectSize: 16_777_216,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      logicalSessionTimeoutMinutes: 30,
      minWireVersion: 0,
      maxWireVersion: 25,
      readOnly: false,
    }
  }

  #membership(address: string): Document {
    const term = { primary: address, electionId: ObjectId.createFromTime(this.#term) }
    return { ...(this.#isPrimary && term), setName: 'rs0', setVersion: 1, hosts: [address], me: address }
  }

  #clusterTimeNow(): Document {
    this.#clusterTime += 1
    const clusterTime = new Timestamp({ t: 1, i: this.#clusterTime })
    const signature = { hash: new Binary(Buffer.alloc(20)), keyId: Long.ZERO }
    return { operationTime: clusterTime, $clusterTime: { clusterTime, signature } }
  }
}

function toCommand(name: string, body: Document, connection: number): WireCommand {
  const about = body[name]
  const { lsid, txnNumber, autocommit, startTransaction, $db } = body as {
    readonly lsid?: { readonly id: { readonly buffer: Uint8Array } }
    readonly txnNumber?: unknown
    readonly autocommit?: boolean
    readonly startTransaction?: boolean
    readonly $db?: string
  }
  return {
    name,
    database: $db ?? '',
    collection: typeof about === 'string' ? about : undefined,
    body,
    lsid: lsid && Buffer.from(lsid.id.buffer).toString('hex'),
    txnNumber: txnNumber === undefined ? undefined : Number(txnNumber),
    autocommit,
    startTransaction: startTransaction === true,
    connection,
  }
}

function mayAskSecondary(body: Document): boolean {
  const mode = (body['$readPreference'] as { readonly mode?: string } | undefined)?.mode ?? 'primary'
  return mode !== 'primary' || 'ping' in body
}
