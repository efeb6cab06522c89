import type mongoose from 'mongoose'
import { wholeNumber } from '../../foundation/whole-number.ts'

/** Of a model, what its indexes need. */
export interface IndexedModel {
  readonly schema: { indexes(): [mongoose.IndexDefinition, mongoose.IndexOptions][] }
  readonly collection: {
    readonly name: string
    createIndexes(indexes: mongoose.mongo.IndexDescription[], options: object): Promise<string[]>
    indexes(): Promise<object>
  }
}

interface Index {
  readonly name: string
  readonly key: Readonly<Record<string, unknown>>
  readonly unique?: boolean
}

/**
 * Makes the indexes that the schemas of models declare, and waits until they are built. A step of its own, beside the
 * service and before its rollout, like a migration: with several processes none of them does it on the side. What exists
 * already is left alone, and so is what no schema declares.
 *
 * @param options.timeoutMs - how long to wait for one collection, 1 to 86 400 000; the server builds on even so. Default
 *   600 000
 * @returns the names of all indexes that are declared, as `products.products_sku`
 * @throws {Error} when an index is there with other keys or options, or documents clash in a unique one; says which
 */
export async function ensureIndexes(
  models: readonly IndexedModel[],
  options: { readonly timeoutMs?: number } = {},
): Promise<string[]> {
  const timeoutMs = wholeNumber('timeoutMs', options.timeoutMs ?? 600_000, 1, 86_400_000)
  const names: string[] = []
  for (const model of models) {
    await build(model, timeoutMs)
    names.push(...declared(model).map(({ name }) => `${model.collection.name}.${name}`))
  }
  return names
}

async function build(model: IndexedModel, timeoutMs: number): Promise<void> {
  const indexes = declared(model)
  if (indexes.length === 0) return
  try {
    // The pool's own wait is for operations, not for a build. The driver takes one for each, though its types do not say so.
    await model.collection.createIndexes(indexes, { socketTimeoutMS: timeoutMs })
  } catch (thrown) {
    throw explained(thrown, model.collection.name)
  }
}

function explained(thrown: unknown, collection: string): unknown {
  const { code, cause } = Object(thrown) as { readonly code?: unknown; readonly cause?: unknown }
  if (code === 'database.already_exists') {
    return new Error(`Documents in ${collection} clash in an index that is to be unique. Settle that first`, { cause })
  }
  // IndexOptionsConflict, IndexKeySpecsConflict
  if (code !== 85 && code !== 86) return thrown
  const message = `An index of ${collection} is there with other keys or options. Drop it, or give the new one a name`
  return new Error(message, { cause: thrown })
}

/**
 * Refuses to go on with a database that lacks an index. For the start of a service, so that no unique index is missing
 * that its rules rely on; a database that has more is fine.
 *
 * @throws {Error} naming what is missing or other than declared
 */
export async function assertIndexes(models: readonly IndexedModel[]): Promise<void> {
  const missing: string[] = []
  for (const model of models) {
    const existing = await list(model)
    const lacking = declared(model).filter((index) => !existing.some((one) => isSame(one, index)))
    missing.push(...lacking.map(({ name }) => `${model.collection.name}.${name}`))
  }
  if (missing.length === 0) return
  throw new Error(`The database lacks the indexes ${missing.join(', ')}. Run ensureIndexes, then start again`)
}

async function list(model: IndexedModel): Promise<Index[]> {
  try {
    return (await model.collection.indexes()) as Index[]
  } catch (thrown) {
    // NamespaceNotFound: nothing was ever stored there.
    if ((Object(thrown) as { readonly code?: unknown }).code === 26) return []
    throw thrown
  }
}

function declared({ schema }: IndexedModel): (Index & mongoose.mongo.IndexDescription)[] {
  return schema.indexes().map(([fields, options]) => {
    const key = fields as Record<string, mongoose.mongo.IndexDirection>
    return { ...options, key, name: options.name ?? defaultName(key) } as Index & mongoose.mongo.IndexDescription
  })
}

/** As the server names them. */
function defaultName(key: Readonly<Record<string, unknown>>): string {
  return Object.entries(key).flat().join('_')
}

function isSame(existing: Index, { name, key, unique = false }: Index): boolean {
  return existing.name === name && (existing.unique ?? false) === unique && sameKey(existing.key, key)
}

/** The order of fields counts. Text indexes are stored under other fields. */
function sameKey(existing: Index['key'], wanted: Index['key']): boolean {
  if (Object.values(wanted).includes('text')) return true
  return JSON.stringify(Object.entries(existing)) === JSON.stringify(Object.entries(wanted))
}
