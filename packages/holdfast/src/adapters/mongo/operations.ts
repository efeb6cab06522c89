import type mongoose from 'mongoose'

/** What a caller said about an operation, in the driver's words. */
export interface GivenOptions {
  readonly session?: unknown
  readonly maxTimeMS?: number
  /** `null`: nothing ends it but its timeout. */
  readonly signal?: AbortSignal | null
  readonly [more: string]: unknown
}

/** What we say about it; goes before what the caller said. */
export interface OwnOptions {
  readonly maxTimeMS: number
  readonly signal: AbortSignal | undefined
  readonly session?: mongoose.mongo.ClientSession
  readonly readPreference?: 'primary'
  readonly readConcern?: undefined
  readonly writeConcern?: undefined
}

/** Asks the driver for something, with options as the way it goes wants them. */
export type Job<Result> = (db: mongoose.mongo.Db, options: OwnOptions) => Promise<Result>

/** The way to the server: through a pool of connections, or through an open transaction. */
export interface Route {
  /**
   * @param given - what the caller said
   * @param writes - whether it changes anything
   * @throws as `MongoQueries` says
   */
  ask<Result>(given: GivenOptions, writes: boolean, job: Job<Result>): Promise<Result>
}

/** Where an operation of the driver's collection takes its options, and whether it changes anything. */
export interface Operation {
  readonly optionsAt: number
  readonly writes: boolean
}

const read = (optionsAt: number): Operation => ({ optionsAt, writes: false })
const write = (optionsAt: number): Operation => ({ optionsAt, writes: true })

/** Operations that answer with a promise, and may be a part of a transaction. */
export const operations: ReadonlyMap<string, Operation> = new Map([
  ['bulkWrite', write(1)],
  ['countDocuments', read(1)],
  ['deleteMany', write(1)],
  ['deleteOne', write(1)],
  ['distinct', read(2)],
  ['findOne', read(1)],
  ['findOneAndDelete', write(1)],
  ['findOneAndReplace', write(2)],
  ['findOneAndUpdate', write(2)],
  ['insertMany', write(1)],
  ['insertOne', write(1)],
  ['replaceOne', write(2)],
  ['updateMany', write(2)],
  ['updateOne', write(2)],
])

/** Operations that answer with a cursor, and may be a part of a transaction. */
export const cursorOperations: ReadonlySet<string> = new Set(['aggregate', 'find'])

/** What the driver offers and we do not: what it gives back would act on its own, past transactions, pools and timeouts. */
export const notOffered: ReadonlySet<string> = new Set([
  'initializeOrderedBulkOp',
  'initializeUnorderedBulkOp',
  'listIndexes',
  'listSearchIndexes',
  'watch',
])
