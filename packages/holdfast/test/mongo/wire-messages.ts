import mongoose from 'mongoose'

const { BSON } = mongoose.mongo

export type Document = Record<string, unknown>

/** One message of a client, taken apart. */
export interface WireRequest {
  readonly id: number
  readonly isLegacy: boolean
  /** False where the client will not read an answer: unacknowledged writes. */
  readonly wantsReply: boolean
  /** The command, with the documents that came beside it put back under their name. */
  readonly command: Document
}

// https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
const headerBytes = 16
const opReply = 1
const opQuery = 2004
const opMessage = 2013
const checksumPresent = 1
const moreToCome = 2

/** The whole messages at the front of what came so far, and what is left behind them. */
export function splitMessages(bytes: Buffer): { readonly messages: readonly Buffer[]; readonly rest: Buffer } {
  const messages: Buffer[] = []
  let rest = bytes
  while (rest.length >= headerBytes && rest.length >= rest.readInt32LE(0)) {
    const length = rest.readInt32LE(0)
    messages.push(rest.subarray(0, length))
    rest = rest.subarray(length)
  }
  return { messages, rest }
}

/** @throws {Error} for what neither OP_MSG nor the OP_QUERY of a first hello is */
export function readRequest(message: Buffer): WireRequest {
  const id = message.readInt32LE(4)
  const operation = message.readInt32LE(12)
  if (operation === opQuery) return { id, isLegacy: true, wantsReply: true, command: readLegacyCommand(message) }
  if (operation !== opMessage) throw new Error(`The wire server reads OP_MSG and OP_QUERY; received ${operation}`)
  const flags = message.readUInt32LE(headerBytes)
  const end = message.length - ((flags & checksumPresent) === 0 ? 0 : 4)
  return {
    id,
    isLegacy: false,
    wantsReply: (flags & moreToCome) === 0,
    command: readSections(message.subarray(headerBytes + 4, end)),
  }
}

/** Flags, the name of the collection, how many to skip and to return; then the command. */
function readLegacyCommand(message: Buffer): Document {
  const nameAt = headerBytes + 4
  const documentAt = message.indexOf(0, nameAt) + 1 + 8
  const query = BSON.deserialize(message.subarray(documentAt))
  return (query['$query'] as Document | undefined) ?? query
}

function readSections(bytes: Buffer): Document {
  let command: Document = {}
  const besides: Document = {}
  for (let at = 0; at < bytes.length;) {
    const kind = bytes.readUInt8(at)
    const section = bytes.subarray(at + 1, at + 1 + bytes.readInt32LE(at + 1))
    if (kind === 0) command = readDocument(section)
    else readSequence(section, besides)
    at += 1 + section.length
  }
  return { ...command, ...besides }
}

function readSequence(section: Buffer, into: Document): void {
  const nameEnd = section.indexOf(0, 4)
  const documents: Document[] = []
  for (let at = nameEnd + 1; at < section.length;) {
    const bytes = section.subarray(at, at + section.readInt32LE(at))
    documents.push(readDocument(bytes))
    at += bytes.length
  }
  into[section.toString('utf8', 4, nameEnd)] = documents
}

function readDocument(bytes: Buffer): Document {
  return BSON.deserialize(bytes)
}

export function writeReply(request: WireRequest, reply: Document): Buffer {
  const document = BSON.serialize(reply)
  return request.isLegacy ? legacyReply(request.id, document) : messageReply(request.id, document)
}

function messageReply(requestId: number, document: Uint8Array): Buffer {
  // Five bytes of zero between header and document: no flags, and a section of kind 0.
  const front = Buffer.alloc(headerBytes + 5)
  writeHeader(front, document, requestId, opMessage)
  return Buffer.concat([front, document])
}

function legacyReply(requestId: number, document: Uint8Array): Buffer {
  const front = Buffer.alloc(headerBytes + 20)
  writeHeader(front, document, requestId, opReply)
  const awaitCapable = 8
  front.writeInt32LE(awaitCapable, headerBytes)
  const documents = 1
  front.writeInt32LE(documents, headerBytes + 16)
  return Buffer.concat([front, document])
}

function writeHeader(front: Buffer, document: Uint8Array, requestId: number, operation: number): void {
  front.writeInt32LE(front.length + document.length, 0)
  front.writeInt32LE(requestId, 8)
  front.writeInt32LE(operation, 12)
}
