import { compare, isPlain, matches, sorted, unknown, valueAt } from './wire-documents.ts'
import type { Document } from './wire-messages.ts'

/** Where stages that look into other collections find them. */
export type ReadCollection = (name: string) => readonly Document[]

/** What an aggregation gives. @throws for a stage, an accumulator or an expression that it does not know */
export function aggregated(
  documents: readonly Document[],
  pipeline: readonly Document[],
  read: ReadCollection,
): Document[] {
  return pipeline.reduce<Document[]>(
    (found, stage) => {
      const [name, operand] = only(stage, 'stages of several operators')
      const run = stages[name]
      if (run === undefined) throw unknown(`the stage ${name}`)
      return run(found, operand, read)
    },
    [...documents],
  )
}

type Stage<Operand = never> = (documents: readonly Document[], operand: Operand, read: ReadCollection) => Document[]

const stages: Readonly<Record<string, Stage<unknown>>> = {
  $match: ((documents, filter: Document) => documents.filter((one) => matches(one, filter))) satisfies Stage,
  $sort: ((documents, order: Document) => sorted(documents, order)) satisfies Stage,
  $skip: ((documents, count: number) => documents.slice(count)) satisfies Stage,
  $limit: ((documents, count: number) => documents.slice(0, count)) satisfies Stage,
  $unwind: ((documents, field: string) => documents.flatMap((one) => unwound(one, field))) satisfies Stage,
  $addFields: ((documents, fields: Document) =>
    documents.map((one) => ({ ...one, ...evaluatedAll(one, fields) }))) satisfies Stage,
  $project: ((documents, fields: Document) => documents.map((one) => shaped(one, fields))) satisfies Stage,
  $group: ((documents, group: Document) => grouped(documents, group)) satisfies Stage,
  $lookup: ((documents, lookup: Lookup, read) =>
    documents.map((one) => ({ ...one, [lookup.as]: lookedUp(one, lookup, read) }))) satisfies Stage,
  $setWindowFields: ((documents, windows: Windows) => windowed(documents, windows)) satisfies Stage,
} as Readonly<Record<string, Stage<unknown>>>

interface Lookup {
  readonly from: string
  readonly localField: string
  readonly foreignField: string
  readonly as: string
}

function lookedUp(document: Document, { from, localField, foreignField, as, ...others }: Lookup, read: ReadCollection) {
  if (Object.keys(others).length > 0) throw unknown(`$lookup of ${as} with ${Object.keys(others).join(', ')}`)
  return read(from).filter((one) => matches(one, { [foreignField]: valueAt(document, localField) }))
}

interface Windows {
  readonly partitionBy?: unknown
  readonly sortBy?: Document
  readonly output: Document
}

function windowed(documents: readonly Document[], { partitionBy, sortBy, output }: Windows): Document[] {
  const partitions = Map.groupBy(sorted(documents, sortBy), (one) => JSON.stringify(evaluated(one, partitionBy)))
  return [...partitions.values()].flatMap((members) =>
    members.map((one, at) => ({
      ...one,
      ...Object.fromEntries(Object.entries(output).map(([name, field]) => [name, overWindow(members, at, field)])),
    })),
  )
}

function overWindow(members: readonly Document[], at: number, field: unknown): unknown {
  const { window, ...accumulator } = field as Document
  if ('$documentNumber' in accumulator) return at + 1
  const bounds = JSON.stringify(window ?? { documents: ['unbounded', 'unbounded'] })
  if (bounds === '{"documents":["unbounded","unbounded"]}') return accumulated(members, accumulator)
  if (bounds === '{"documents":["unbounded","current"]}') return accumulated(members.slice(0, at + 1), accumulator)
  throw unknown(`the window ${bounds}`)
}

function unwound(document: Document, field: unknown): Document[] {
  if (typeof field !== 'string' || field.includes('.')) throw unknown(`$unwind of ${JSON.stringify(field)}`)
  const values = document[field.slice(1)]
  return Array.isArray(values) ? values.map((value) => ({ ...document, [field.slice(1)]: value as unknown })) : []
}

function shaped(document: Document, fields: Document): Document {
  const { _id: id = 1, ...others } = fields
  const kept = id === 0 ? {} : { _id: id === 1 ? document['_id'] : evaluated(document, id) }
  const asked = Object.entries(others).map(([name, value]) => [name, value === 1 ? `$${name}` : value])
  return { ...kept, ...evaluatedAll(document, Object.fromEntries(asked) as Document) }
}

function grouped(documents: readonly Document[], { _id: by, ...fields }: Document): Document[] {
  const groups = new Map<string, { readonly key: unknown; readonly members: Document[] }>()
  for (const document of documents) {
    const key = evaluated(document, by) ?? null
    const name = JSON.stringify(key)
    const group = groups.get(name) ?? { key, members: [] }
    groups.set(name, group)
    group.members.push(document)
  }
  return [...groups.values()].map(({ key, members }) => ({
    _id: key,
    ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, accumulated(members, field)])),
  }))
}

function accumulated(members: readonly Document[], field: unknown): unknown {
  const [name, operand] = only(field, 'fields of a group with several accumulators')
  const accumulate = accumulators[name]
  if (accumulate === undefined) throw unknown(`the accumulator ${name}`)
  return accumulate(members.map((one) => evaluated(one, operand)))
}

const numbers = (values: readonly unknown[]): number[] => values.filter((value) => typeof value === 'number')
const sum = (values: readonly unknown[]): number => numbers(values).reduce((total, value) => total + value, 0)
const present = (values: readonly unknown[]): unknown[] => values.filter((value) => value != null).toSorted(compare)

const accumulators: Readonly<Record<string, (values: readonly unknown[]) => unknown>> = {
  $sum: sum,
  $avg: (values) => (numbers(values).length === 0 ? null : sum(values) / numbers(values).length),
  $min: (values) => present(values)[0] ?? null,
  $max: (values) => present(values).at(-1) ?? null,
  $first: (values) => values[0] ?? null,
  $addToSet: (values) => values.filter((value, at) => values.findIndex((one) => compare(one, value) === 0) === at),
}

const evaluatedAll = (document: Document, fields: Document): Document =>
  Object.fromEntries(
    Object.entries(fields)
      .map(([name, expression]) => [name, evaluated(document, expression)] as const)
      .filter(([, value]) => value !== undefined),
  )

function evaluated(document: Document, expression: unknown): unknown {
  if (typeof expression === 'string' && expression.startsWith('$$')) throw unknown(`the variable ${expression}`)
  if (typeof expression === 'string' && expression.startsWith('$')) return valueAt(document, expression.slice(1))
  if (!isPlain(expression)) return expression
  if (!Object.keys(expression).some((key) => key.startsWith('$'))) return evaluatedAll(document, expression)
  const [name, operand] = only(expression, 'expressions of several operators')
  const calculate = expressions[name]
  if (calculate === undefined) throw unknown(`the expression ${name}`)
  return calculate((one) => evaluated(document, one), operand)
}

type Calculate = (evaluate: (expression: unknown) => unknown, operand: unknown) => unknown

const overNumbers =
  (calculate: (values: readonly number[]) => number): Calculate =>
  (evaluate, operand) => {
    const values = (operand as unknown[]).map(evaluate)
    return values.some((value) => value == null) ? null : calculate(values as number[])
  }

const expressions: Readonly<Record<string, Calculate>> = {
  $literal: (_, operand) => operand,
  $add: overNumbers((values) => values.reduce((a, b) => a + b)),
  $subtract: overNumbers(([a = 0, b = 0]) => a - b),
  $multiply: overNumbers((values) => values.reduce((a, b) => a * b)),
  $divide: overNumbers(([a = 0, b = 0]) => a / b),
  $size: (evaluate, operand) => (evaluate(operand) as unknown[]).length,
  $sum: (evaluate, operand) => sum(evaluate(operand) as unknown[]),
  $eq: (evaluate, operand) => {
    const [one, other] = (operand as unknown[]).map(evaluate)
    return compare(one, other) === 0
  },
  $cond: (evaluate, operand) => {
    if (!Array.isArray(operand)) throw unknown('$cond that is no list')
    const [condition, met, unmet] = operand as unknown[]
    return evaluate(condition) === true ? evaluate(met) : evaluate(unmet)
  },
  $arrayElemAt: (evaluate, operand) => {
    const [list, at] = (operand as unknown[]).map(evaluate)
    return (list as unknown[] | undefined)?.at(at as number)
  },
  $dateToString: (evaluate, operand) => {
    const { date, format, ...others } = operand as Document
    if (format !== '%Y-%m-%d' || Object.keys(others).length > 0) {
      throw unknown(`$dateToString with ${JSON.stringify(operand)}`)
    }
    return (evaluate(date) as Date).toISOString().slice(0, 10)
  },
}

function only(object: unknown, otherwise: string): readonly [name: string, operand: unknown] {
  const entries = isPlain(object) ? Object.entries(object) : []
  if (entries.length !== 1) throw unknown(`${otherwise}: ${JSON.stringify(object)}`)
  return entries[0] ?? ['', undefined]
}
