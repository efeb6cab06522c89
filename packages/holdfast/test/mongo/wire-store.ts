/*
 * A MongoDB for tests where none can be had: a store in memory behind the scripted primary. It holds documents, enforces
 * unique indexes and runs transactions with snapshots, as far as the services of `templates/` ask for it; whatever it
 * does not know is an error that names it.
 *
 * A run on it shows that a service asks in the right way and keeps its rules where the store keeps its own. It shows
 * nothing of a real server: how it plans queries and uses indexes, compares exotic values, expires documents, bounds
 * transactions to 60 seconds and 16 MB, repeats a retryable write once only, waits for a majority, elects, checks
 * passwords or speaks TLS. For those set MONGODB_URL and run the same tests on one.
 */
import mongoose from 'mongoose'
import { Collection, type Documents, duplicate, type Index, keyOf, Refused } from './wire-collection.ts'
import { isPlain, matches, projected, sorted, unknown, updated } from './wire-documents.ts'
import type { Document } from './wire-messages.ts'
import { aggregated } from './wire-pipeline.ts'
import { firstBatch, startWireServer, type WireCommand, type WireServer } from './wire-server.ts'
import {
  apply,
  begin,
  conflict,
  finish,
  noTransaction,
  type Transaction,
  unseenBy,
  writesOf,
} from './wire-transaction.ts'

const { ObjectId } = mongoose.mongo

export interface WireStore {
  readonly url: string
  readonly server: WireServer
  /** What is committed in a collection of `shop`, or of another database. */
  documents(collection: string, database?: string): Document[]
  close(): Promise<void>
}

export async function startWireStore(): Promise<WireStore> {
  const store = new Store()
  const server = await startWireServer((command) => store.answer(command))
  return {
    url: server.url,
    server,
    documents: (collection, database = 'shop') => store.documents(`${database}.${collection}`),
    close: () => server.close(),
  }
}

/** Somebody else's open transaction has written what a single write is about: it waits. */
class Blocked extends Error {
  readonly by: Transaction

  constructor(by: Transaction) {
    super('Blocked')
    this.by = by
  }
}

type Write = readonly [key: string, next: Document | undefined]
type Answer = (command: WireCommand, within: Transaction | undefined) => Document | Promise<Document>

const longestWaitMs = 10_000

class Store {
  readonly #collections = new Map<string, Collection>()
  /** The last one of each session. */
  readonly #transactions = new Map<string, Transaction>()
  readonly #answers: Readonly<Record<string, { readonly takes: readonly string[]; readonly answer: Answer }>> = {
    ping: { takes: [], answer: () => ({}) },
    find: {
      takes: ['filter', 'sort', 'limit', 'skip', 'projection', 'batchSize', 'singleBatch'],
      answer: (command, within) => this.#find(command, within),
    },
    aggregate: { takes: ['pipeline', 'cursor'], answer: (command, within) => this.#aggregate(command, within) },
    insert: { takes: ['documents', 'ordered'], answer: (command, within) => this.#insert(command, within) },
    update: { takes: ['updates', 'ordered'], answer: (command, within) => this.#update(command, within) },
    delete: { takes: ['deletes', 'ordered'], answer: (command, within) => this.#delete(command, within) },
    findAndModify: {
      takes: ['query', 'update', 'remove', 'new', 'upsert', 'sort', 'fields'],
      answer: (command, within) => this.#findAndModify(command, within),
    },
    createIndexes: { takes: ['indexes'], answer: (command, within) => this.#createIndexes(command, within) },
    listIndexes: { takes: ['cursor'], answer: (command) => this.#listIndexes(command) },
    dropDatabase: { takes: [], answer: (command) => this.#dropDatabase(command) },
    commitTransaction: { takes: ['recoveryToken'], answer: (command) => this.#end(command, 'committed') },
    abortTransaction: { takes: ['recoveryToken'], answer: (command) => this.#end(command, 'aborted') },
  }

  documents(namespace: string): Document[] {
    return [...(this.#collections.get(namespace)?.documents.values() ?? [])]
  }

  async answer(command: WireCommand): Promise<Document> {
    let within: Transaction | undefined
    try {
      const known = this.#answers[command.name]
      if (known === undefined) throw unknown(`the command ${command.name}`)
      assertTakes(command.body, [command.name, ...known.takes], `the command ${command.name}`)
      if (!command.name.endsWith('Transaction')) within = this.#transactionOf(command)
      return await known.answer(command, within)
    } catch (error) {
      // Whatever fails inside a transaction undoes it.
      if (within?.state === 'open') finish(within, 'aborted')
      if (error instanceof Refused) return error.reply
      throw error
    }
  }

  #find(command: WireCommand, within: Transaction | undefined): Document {
    const { filter = {}, sort, skip = 0, limit = 0, projection } = command.body as FindBody
    const found = sorted(this.#matching(command, filter, within), sort)
    const page = found.slice(skip, limit === 0 ? undefined : skip + Math.abs(limit))
    return firstBatch(
      command,
      page.map((one) => projected(one, projection)),
    )
  }

  #aggregate(command: WireCommand, within: Transaction | undefined): Document {
    const pipeline = command.body['pipeline'] as Document[]
    const read = (collection: string): Document[] => [
      ...this.#view(`${command.database}.${collection}`, within).values(),
    ]
    return firstBatch(command, aggregated(read(String(command.collection)), pipeline, read))
  }

  async #insert(command: WireCommand, within: Transaction | undefined): Promise<Document> {
    const documents = command.body['documents'] as Document[]
    return this.#each(command, within, documents, (document) => {
      const key = keyOf(document['_id'])
      const known = this.#view(namespaceOf(command), within)
      if (known.has(key)) throw duplicateId(command, document['_id'])
      this.#write(command, within, [[key, document]])
      return { n: 1 }
    })
  }

  async #update(command: WireCommand, within: Transaction | undefined): Promise<Document> {
    const updates = command.body['updates'] as UpdateBody[]
    return this.#each(command, within, updates, (one, index) => {
      assertTakes(one, ['q', 'u', 'multi', 'upsert'], 'an update')
      const found = this.#matching(command, one.q, within)
      const meant = one.multi === true ? found : found.slice(0, 1)
      if (meant.length === 0 && one.upsert === true) {
        const created = fromFilter(one.q, one.u)
        this.#write(command, within, [[keyOf(created['_id']), created]])
        return { n: 1, upserted: [{ index, _id: created['_id'] }] }
      }
      const changed = meant.map((before) => [before, updated(before, one.u, { isInsert: false })] as const)
      this.#write(
        command,
        within,
        changed.map(([, after]) => [keyOf(after['_id']), after]),
      )
      return { n: meant.length, nModified: changed.filter(([before, after]) => !isSame(before, after)).length }
    })
  }

  async #delete(command: WireCommand, within: Transaction | undefined): Promise<Document> {
    const deletes = command.body['deletes'] as { readonly q: Document; readonly limit: number }[]
    return this.#each(command, within, deletes, (one) => {
      assertTakes(one, ['q', 'limit'], 'a delete')
      const found = this.#matching(command, one.q, within)
      const meant = one.limit === 1 ? found.slice(0, 1) : found
      this.#write(
        command,
        within,
        meant.map(({ _id: id }) => [keyOf(id), undefined]),
      )
      return { n: meant.length }
    })
  }

  async #findAndModify(command: WireCommand, within: Transaction | undefined): Promise<Document> {
    const {
      query,
      update,
      remove = false,
      upsert = false,
      sort,
      fields,
      new: isNew = false,
    } = command.body as unknown as FindAndModifyBody
    return waiting(command, () => {
      const before = sorted(this.#matching(command, query, within), sort)[0]
      if (before === undefined && (remove || !upsert)) {
        return { value: null, lastErrorObject: { n: 0, updatedExisting: false } }
      }
      const isUpsert = before === undefined
      const write = () => (isUpsert ? fromFilter(query, update) : updated(before, update, { isInsert: false }))
      const after = remove ? undefined : write()
      this.#write(command, within, [[keyOf((after ?? before)?.['_id']), after]])
      const value = isNew ? after : before
      return {
        value: value === undefined ? null : projected(value, fields),
        lastErrorObject: {
          n: 1,
          ...(remove ? {} : { updatedExisting: !isUpsert }),
          ...(isUpsert ? { upserted: after?.['_id'] } : {}),
        },
      }
    })
  }

  #createIndexes(command: WireCommand, within: Transaction | undefined): Document {
    if (within !== undefined) throw unknown('createIndexes inside of a transaction')
    const collection = this.#collection(namespaceOf(command))
    const before = collection.indexes.length
    for (const index of command.body['indexes'] as Index[]) collection.addIndex(index)
    return { numIndexesBefore: before, numIndexesAfter: collection.indexes.length }
  }

  #listIndexes(command: WireCommand): Document {
    const collection = this.#collections.get(namespaceOf(command))
    if (collection === undefined) throw new Refused(26, 'NamespaceNotFound')
    return firstBatch(command, collection.indexes as readonly object[] as Document[])
  }

  #dropDatabase({ database }: WireCommand): Document {
    for (const name of this.#collections.keys()) if (name.startsWith(`${database}.`)) this.#collections.delete(name)
    return { dropped: database }
  }

  #transactionOf({ lsid = '', txnNumber = 0, autocommit, startTransaction, database }: WireCommand) {
    if (autocommit !== false) return undefined
    const last = this.#transactions.get(lsid)
    if (startTransaction) {
      if (last?.state === 'open') finish(last, 'aborted')
      const begun = begin(txnNumber, this.#snapshot(database))
      this.#transactions.set(lsid, begun)
      return begun
    }
    if (last?.number !== txnNumber || last.state === 'aborted') throw noTransaction()
    if (last.state === 'committed') throw new Refused(256, 'TransactionCommitted')
    return last
  }

  #end({ lsid = '', txnNumber }: WireCommand, state: 'committed' | 'aborted'): Document {
    const transaction = this.#transactions.get(lsid)
    if (transaction?.number !== txnNumber) throw noTransaction()
    if (transaction?.state === 'committed' && state === 'committed') return {}
    if (transaction?.state !== 'open') throw noTransaction()
    if (state === 'committed') {
      for (const [namespace, writes] of transaction.writes) apply(this.#collection(namespace).documents, writes)
    }
    finish(transaction, state)
    return {}
  }

  #collection(namespace: string): Collection {
    const known = this.#collections.get(namespace) ?? new Collection(namespace)
    this.#collections.set(namespace, known)
    return known
  }

  #snapshot(database: string): Map<string, Documents> {
    const own = [...this.#collections].filter(([name]) => name.startsWith(`${database}.`))
    return new Map(own.map(([name, { documents }]) => [name, new Map(documents)]))
  }

  /** What a command may see: all that is committed, or the snapshot of its transaction and what that wrote. */
  #view(namespace: string, within: Transaction | undefined): Documents {
    if (within === undefined) return this.#collections.get(namespace)?.documents ?? new Map()
    const view: Documents = new Map(within.snapshot.get(namespace))
    apply(view, within.writes.get(namespace) ?? new Map())
    return view
  }

  #matching(command: WireCommand, filter: Document, within: Transaction | undefined): Document[] {
    return [...this.#view(namespaceOf(command), within).values()].filter((one) => matches(one, filter))
  }

  /** All of these writes, or none. */
  #write(command: WireCommand, within: Transaction | undefined, writes: readonly Write[]): void {
    const collection = this.#collection(namespaceOf(command))
    for (const write of writes) this.#assertFree(collection, write, within)
    for (const [, next] of writes) if (next !== undefined) this.#assertUnique(collection, next, within)
    if (within === undefined) apply(collection.documents, new Map(writes))
    else for (const [key, next] of writes) writesOf(within, collection.namespace).set(key, next)
  }

  /** Nobody else is at it, and it is what the transaction saw. */
  #assertFree({ namespace, documents }: Collection, [key]: Write, within: Transaction | undefined): void {
    for (const other of this.#others(within)) {
      if (!other.writes.get(namespace)?.has(key)) continue
      throw within === undefined ? new Blocked(other) : conflict()
    }
    if (within !== undefined && within.snapshot.get(namespace)?.get(key) !== documents.get(key)) throw conflict()
  }

  #assertUnique(collection: Collection, next: Document, within: Transaction | undefined): void {
    const taken = collection.findTaken(next, this.#view(collection.namespace, within))
    if (taken !== undefined) throw taken
    // Taken by what this transaction can not see.
    if (within !== undefined && collection.findTaken(next, unseenBy(within, collection)) !== undefined) throw conflict()
    for (const other of this.#others(within)) {
      const written: Documents = new Map()
      apply(written, other.writes.get(collection.namespace) ?? new Map())
      if (collection.findTaken(next, written) === undefined) continue
      throw within === undefined ? new Blocked(other) : conflict()
    }
  }

  #others(within: Transaction | undefined): Transaction[] {
    return [...this.#transactions.values()].filter((one) => one !== within && one.state === 'open')
  }

  /** Several writes of one command: each by itself, and what is refused is told beside the rest. */
  async #each<Item>(
    command: WireCommand,
    within: Transaction | undefined,
    items: readonly Item[],
    write: (item: Item, index: number) => WriteCounts,
  ): Promise<Document> {
    const total = { n: 0, nModified: 0, upserted: [] as Document[], writeErrors: [] as Document[] }
    for (const [index, item] of items.entries()) {
      try {
        const { n, nModified = 0, upserted = [] } = await waiting(command, () => write(item, index))
        total.n += n
        total.nModified += nModified
        total.upserted.push(...upserted)
      } catch (error) {
        if (!(error instanceof Refused) || error.reply['code'] !== 11_000) throw error
        const { code, errmsg, keyPattern, keyValue } = error.reply
        total.writeErrors.push({ index, code, errmsg, keyPattern, keyValue })
        if (within !== undefined) finish(within, 'aborted')
        if (within !== undefined || command.body['ordered'] !== false) break
      }
    }
    const { n, nModified, upserted, writeErrors } = total
    return {
      n,
      ...(command.name === 'update' ? { nModified } : {}),
      ...(upserted.length > 0 ? { upserted } : {}),
      ...(writeErrors.length > 0 ? { writeErrors } : {}),
    }
  }
}

interface WriteCounts {
  readonly n: number
  readonly nModified?: number
  readonly upserted?: readonly Document[]
}

interface FindBody {
  readonly filter?: Document
  readonly sort?: Document
  readonly skip?: number
  readonly limit?: number
  readonly projection?: Document
}

interface UpdateBody {
  readonly q: Document
  readonly u: Document
  readonly multi?: boolean
  readonly upsert?: boolean
}

interface FindAndModifyBody {
  readonly query: Document
  readonly update: Document
  readonly remove?: boolean
  readonly upsert?: boolean
  readonly new?: boolean
  readonly sort?: Document
  readonly fields?: Document
}

/** Until the transactions in the way have ended. */
async function waiting<Result>(command: WireCommand, run: () => Result): Promise<Result> {
  for (;;) {
    try {
      return run()
    } catch (error) {
      if (!(error instanceof Blocked)) throw error
      const waitMs = Number(command.body['maxTimeMS'] ?? longestWaitMs)
      const isFree = await Promise.race([error.by.ended.then(() => true), after(waitMs).then(() => false)])
      if (!isFree) throw new Refused(50, 'MaxTimeMSExpired')
    }
  }
}

const after = (delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, delayMs).unref()
  })

/** What an upsert begins with: what its filter says of the document. */
function fromFilter(filter: Document, update: Document): Document {
  const said = Object.entries(filter).filter(([key, value]) => !key.startsWith('$') && !isPlain(value))
  return updated({ _id: new ObjectId(), ...Object.fromEntries(said) }, update, { isInsert: true })
}

const isSame = (a: Document, b: Document): boolean => JSON.stringify(a) === JSON.stringify(b)

const namespaceOf = ({ database, collection }: WireCommand): string => `${database}.${collection}`

const duplicateId = (command: WireCommand, id: unknown): Refused =>
  duplicate(namespaceOf(command), '_id_', { _id: 1 }, { _id: id })

const anyCommand =
  '$db $clusterTime $readPreference lsid txnNumber autocommit startTransaction readConcern writeConcern maxTimeMS comment'

function assertTakes(body: object, taken: readonly string[], where: string): void {
  const odd = Object.keys(body).find((key) => !taken.includes(key) && !anyCommand.split(' ').includes(key))
  if (odd !== undefined) throw unknown(`${odd} of ${where}`)
}
