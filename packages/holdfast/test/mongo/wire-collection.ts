import { compare, matches, unknown, valueAt } from './wire-documents.ts'
import type { Document } from './wire-messages.ts'

/** An answer that refuses, as the server sends it. */
export class Refused extends Error {
  readonly reply: Document

  constructor(code: number, codeName: string, more: Document = {}) {
    super(codeName)
    this.reply = { ok: 0, code, codeName, errmsg: `${codeName} (by the store of the tests)`, ...more }
  }
}

export interface Index {
  readonly name: string
  readonly key: Readonly<Record<string, unknown>>
  readonly unique?: boolean
  readonly partialFilterExpression?: Document
  readonly expireAfterSeconds?: number
  readonly v?: number
}

/** Documents by the texts of their ids. A document is replaced as a whole, never changed. */
export type Documents = Map<string, Document>

export class Collection {
  readonly namespace: string
  readonly documents: Documents = new Map()
  readonly indexes: Index[] = [{ v: 2, key: { _id: 1 }, name: '_id_' }]

  constructor(namespace: string) {
    this.namespace = namespace
  }

  /** @returns whether there was none like it. @throws {Refused} for another one of the name, and for doubles */
  addIndex(index: Index): boolean {
    const odd = Object.keys(index).find((option) => !indexOptions.has(option))
    if (odd !== undefined) throw unknown(`indexes with ${odd}`)
    const same = this.indexes.find(({ name }) => name === index.name)
    if (same !== undefined) {
      if (compare(toComparable(same), toComparable(index)) !== 0) throw new Refused(86, 'IndexKeySpecsConflict')
      return false
    }
    const known: Documents = new Map()
    for (const [key, document] of this.documents) {
      const taken = findTaken(this.namespace, [index], document, known)
      if (taken !== undefined) throw taken
      known.set(key, document)
    }
    this.indexes.push({ v: 2, ...index })
    return true
  }

  findTaken(document: Document, among: Documents): Refused | undefined {
    return findTaken(this.namespace, this.indexes, document, among)
  }
}

const indexOptions = new Set(['name', 'key', 'unique', 'partialFilterExpression', 'expireAfterSeconds', 'v'])

const toComparable = ({ key, unique, partialFilterExpression, expireAfterSeconds }: Index): Document => ({
  key: Object.entries(key),
  unique: unique === true,
  filter: partialFilterExpression ?? null,
  seconds: expireAfterSeconds ?? null,
})

/** The error of the first unique index that holds another document with the values of this one. */
function findTaken(
  namespace: string,
  indexes: readonly Index[],
  document: Document,
  among: Documents,
): Refused | undefined {
  for (const { key, name, unique, partialFilterExpression } of indexes) {
    if (unique !== true) continue
    const isIndexed = (one: Document): boolean =>
      partialFilterExpression === undefined || matches(one, partialFilterExpression)
    const fields = Object.keys(key)
    const isSame = (one: Document): boolean =>
      fields.every((field) => compare(valueAt(one, field), valueAt(document, field)) === 0)
    if (!isIndexed(document)) continue
    for (const one of among.values()) {
      if (keyOf(one['_id']) === keyOf(document['_id']) || !isIndexed(one) || !isSame(one)) continue
      const keyValue = Object.fromEntries(fields.map((field) => [field, valueAt(document, field)]))
      return duplicate(namespace, name, key, keyValue)
    }
  }
  return undefined
}

export const duplicate = (namespace: string, index: string, keyPattern: Document, keyValue: Document): Refused =>
  new Refused(11_000, 'DuplicateKey', {
    errmsg: `E11000 duplicate key error collection: ${namespace} index: ${index} dup key: ${JSON.stringify(keyValue)}`,
    keyPattern,
    keyValue,
  })

export const keyOf = (id: unknown): string => `${typeof id}:${JSON.stringify(id)}`
