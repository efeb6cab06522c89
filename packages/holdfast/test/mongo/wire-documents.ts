import { isDeepStrictEqual } from 'node:util'
import type { Document } from './wire-messages.ts'

/** What a test double was asked and does not do: never a guess. */
export const unknown = (what: string): Error => new Error(`The store of the tests does not know ${what}`)

/** Whether a document fits a filter. @throws for an operator that it does not know */
export function matches(document: Document, filter: Document): boolean {
  return Object.entries(filter).every(([key, condition]) => {
    if (key === '$and') return lists(condition).every((one) => matches(document, one))
    if (key === '$or') return lists(condition).some((one) => matches(document, one))
    if (key === '$nor') return !lists(condition).some((one) => matches(document, one))
    if (key.startsWith('$')) throw unknown(`the filter ${key}`)
    return meets(valueAt(document, key), condition)
  })
}

const lists = (condition: unknown): Document[] => condition as Document[]

function meets(value: unknown, condition: unknown): boolean {
  if (!isOperators(condition)) return isEqual(value, condition)
  return Object.entries(condition).every(([operator, operand]) => {
    const test = operators[operator]
    if (test === undefined) throw unknown(`the filter ${operator}`)
    return test(value, operand)
  })
}

const isOperators = (condition: unknown): condition is Document =>
  isPlain(condition) && Object.keys(condition).some((key) => key.startsWith('$'))

// A comparison holds within a type only: nothing is below or above a missing value.
const isOrdered =
  (holds: (order: number) => boolean) =>
  (value: unknown, operand: unknown): boolean =>
    [value, ...(Array.isArray(value) ? value : [])].some(
      (one) => rankOf(one) === rankOf(operand) && holds(compare(one, operand)),
    )

const operators: Readonly<Record<string, (value: unknown, operand: unknown) => boolean>> = {
  $eq: isEqual,
  $ne: (value, operand) => !isEqual(value, operand),
  $in: (value, operand) => (operand as unknown[]).some((one) => isEqual(value, one)),
  $nin: (value, operand) => !(operand as unknown[]).some((one) => isEqual(value, one)),
  $lt: isOrdered((order) => order < 0),
  $lte: isOrdered((order) => order <= 0),
  $gt: isOrdered((order) => order > 0),
  $gte: isOrdered((order) => order >= 0),
  $exists: (value, operand) => (value !== undefined) === Boolean(operand),
  $not: (value, operand) => !meets(value, operand),
  $size: (value, operand) => Array.isArray(value) && value.length === operand,
  $elemMatch: (value, operand) =>
    Array.isArray(value) &&
    value.some((one) => (isPlain(one) ? matches(one, operand as Document) : meets(one, operand))),
}

/** A list is also equal to each of what it holds, and null to what is missing. */
function isEqual(value: unknown, operand: unknown): boolean {
  if (operand == null) return value == null
  const isSame = (one: unknown): boolean => compare(one, operand) === 0
  return isSame(value) || (Array.isArray(value) && value.some(isSame))
}

/** The order of BSON, of the types that are used here. @throws for another type */
export function compare(a: unknown, b: unknown): number {
  const [one, other] = [rankOf(a), rankOf(b)]
  if (one !== other) return one - other
  if (a == null || b == null) return 0
  if (typeof a === 'object') return compareObjects(a, b)
  return a === b ? 0 : (a as number) < (b as number) ? -1 : 1
}

function compareObjects(a: object, b: object): number {
  if (a instanceof Date) return a.getTime() - (b as Date).getTime()
  if (isDeepStrictEqual(a, b)) return 0
  const [one, other] = [JSON.stringify(a), JSON.stringify(b)]
  return one < other ? -1 : 1
}

/** @see https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/ */
function rankOf(value: unknown): number {
  if (value == null) return 0
  if (typeof value === 'number') return 1
  if (typeof value === 'string') return 2
  if (typeof value === 'boolean') return 6
  if (value instanceof Date) return 7
  if (Array.isArray(value)) return 4
  if (isPlain(value)) return 3
  if (typeof value === 'object') return 5
  throw unknown(`values of type ${typeof value}`)
}

/** By `{ field: 1 | -1, … }`; what is equal stays in its order. */
export function sorted(documents: readonly Document[], order: Document | undefined): Document[] {
  const fields = Object.entries(order ?? {})
  return documents.toSorted((a, b) => {
    for (const [field, direction] of fields) {
      const found = compare(valueAt(a, field), valueAt(b, field)) * Number(direction)
      if (found !== 0) return found
    }
    return 0
  })
}

/** The fields that are asked for, or all but those that are not. @throws for computed fields */
export function projected(document: Document, projection: Document | undefined): Document {
  const { _id: id, ...fields } = projection ?? {}
  const wanted = Object.entries(fields)
  const odd = wanted.find(([name, value]) => ![0, 1, true, false].includes(value as number) || name.includes('.'))
  if (odd !== undefined) throw unknown(`the projection ${odd[0]}`)
  const isListed = wanted.length > 0 ? wanted.some(([, value]) => Boolean(value)) : Boolean(id)
  return Object.fromEntries(
    Object.entries(document).filter(([name]) => {
      if (name === '_id') return id === undefined || Boolean(id)
      return isListed ? Boolean(fields[name]) : !(name in fields)
    }),
  )
}

/** A document as an update leaves it. @throws for an operator that it does not know */
export function updated(document: Document, update: Document, { isInsert }: { readonly isInsert: boolean }): Document {
  if (Array.isArray(update)) throw unknown('updates by pipeline')
  if (!Object.keys(update).some((key) => key.startsWith('$'))) return { _id: document['_id'], ...update }
  const result = copied(document) as Document
  for (const [operator, changes] of Object.entries(update)) {
    const change = changesBy[operator]
    if (change === undefined) throw unknown(`the update ${operator}`)
    if (operator === '$setOnInsert' && !isInsert) continue
    for (const [path, operand] of Object.entries(changes as Document)) change(result, path, operand)
  }
  return result
}

function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, copied(one)]))
}

type Change = (document: Document, path: string, operand: unknown) => void

const set: Change = (document, path, operand) => {
  const { parent, name } = placeOf(document, path)
  parent[name] = operand
}

const changesBy: Readonly<Record<string, Change>> = {
  $set: set,
  $setOnInsert: set,
  $unset: (document, path) => {
    const { parent, name } = placeOf(document, path)
    delete parent[name]
  },
  $inc: (document, path, operand) => {
    const before = valueAt(document, path) ?? 0
    set(document, path, (before as number) + (operand as number))
  },
  $push: (document, path, operand) => {
    const added = isOperators(operand) ? operand['$each'] : [operand]
    if (!Array.isArray(added)) throw unknown(`the update $push of ${JSON.stringify(operand)}`)
    set(document, path, [...((valueAt(document, path) as unknown[] | undefined) ?? []), ...added])
  },
}

function placeOf(document: Document, path: string): { readonly parent: Document; readonly name: string } {
  const names = path.split('.')
  const name = names.pop() as string
  if (/\$|^\d+$/.test(path)) throw unknown(`the path ${path}`)
  let parent = document
  for (const step of names) parent = (parent[step] ??= {}) as Document
  return { parent, name }
}

/** By a dotted path; of documents in a list, the values of all. */
export function valueAt(document: unknown, path: string): unknown {
  const [name = '', ...rest] = path.split('.')
  const value = isPlain(document) ? document[name] : undefined
  if (rest.length === 0) return value
  if (!Array.isArray(value)) return valueAt(value, rest.join('.'))
  const values = value.map((one) => valueAt(one, rest.join('.'))).filter((one) => one !== undefined)
  return values.length === 0 ? undefined : values
}

/** A document or a part of one, and no value of BSON such as an ObjectId. */
export const isPlain = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
