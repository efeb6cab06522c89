import { z } from 'zod'
import type { PrepareSchema } from '../../core/validation/prepared-schema.ts'
import type { Schema, SchemaResult } from '../../foundation/schema.ts'
import { closeObjects } from './close-objects.ts'

/**
 * Makes Zod 4 schemas ready for the pipeline: objects that do not say otherwise refuse unknown keys, and the result is
 * compiled (`z.compile`). Schemas of other libraries pass as they are: they state their own strictness.
 */
export const prepareZod: PrepareSchema = (schema, unknownKeys) => {
  if (!isZod(schema)) return { schema, listKeys: new Set() }
  const closed = unknownKeys === 'refuse' ? closeObjects(schema) : schema
  const ready = mayWait(schema) ? runOnce(closed) : z.compile(closed)
  return { schema: ready, listKeys: listKeysOf(schema) }
}

const isZod = (schema: Schema): schema is Schema & z.core.$ZodType => '_zod' in schema

/** The members of an object schema whose value is a list, seen through `optional`, `default` and their kin. */
function listKeysOf(schema: z.core.$ZodType): ReadonlySet<string> {
  const object = unwrap(schema)
  if (!(object instanceof z.core.$ZodObject)) return new Set()
  const shape: Readonly<Record<string, z.core.$ZodType>> = object._zod.def.shape
  return new Set(Object.keys(shape).filter((key) => isList(shape[key] as z.core.$ZodType)))
}

const isList = (schema: z.core.$ZodType): boolean => ['array', 'tuple', 'set'].includes(unwrap(schema)._zod.def.type)

/** What a value meets first: the schema inside its wrappers, and the near end of a pipe. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const def = schema._zod.def as { innerType?: z.core.$ZodType; in?: z.core.$ZodType }
  const inner = def.innerType ?? def.in
  return inner === undefined ? schema : unwrap(inner)
}

/**
 * Zod tries a schema without waiting and, when that won't do, drops what it began and tries again. For checks and
 * transforms of somebody's own that means twice the work, and a rejection of the first try that nobody handles, which
 * ends the process. These are run once, ready to wait.
 */
function runOnce(schema: z.core.$ZodType): Schema {
  const ctx: z.core.ParseContextInternal = { async: true }
  const toResult = ({ value, issues }: z.core.ParsePayload): SchemaResult<unknown> =>
    issues.length === 0
      ? { value }
      : { issues: issues.map((issue) => z.core.util.finalizeIssue(issue, ctx, z.core.config())) }
  const validate = (value: unknown): SchemaResult<unknown> | Promise<SchemaResult<unknown>> => {
    const payload = schema._zod.run({ value, issues: [] }, ctx)
    return payload instanceof Promise ? payload.then(toResult) : toResult(payload)
  }
  return { '~standard': { ...(schema as unknown as Schema)['~standard'], validate } }
}

/** Whether a schema runs functions of somebody's own, which may give promises. */
function mayWait(schema: z.core.$ZodType, seen: Set<z.core.$ZodType> = new Set()): boolean {
  if (seen.has(schema)) return false
  seen.add(schema)
  const def = schema._zod.def as unknown as Record<string, unknown> & { checks?: z.core.$ZodCheck[] }
  if (['transform', 'custom', 'promise'].includes(String(def['type']))) return true
  if (def.checks?.some((check) => check._zod.def.check === 'custom')) return true
  if (def['type'] === 'pipe' && typeof def['transform'] === 'function') return true
  if (def['type'] === 'lazy') return mayWait((def['getter'] as () => z.core.$ZodType)(), seen)
  return Object.entries(def)
    .flatMap(([key, part]) => (key === 'shape' ? Object.values(part as object) : [part].flat()))
    .some((part) => isZodType(part) && mayWait(part, seen))
}

const isZodType = (value: unknown): value is z.core.$ZodType =>
  typeof value === 'object' && value !== null && '_zod' in value
