import { z } from 'zod'
import type { PrepareSchema } from '../../core/validation/prepared-schema.ts'
import type { Schema } from '../../foundation/schema.ts'
import { closeObjects } from './close-objects.ts'

/**
 * Makes Zod 4 schemas ready for the pipeline: objects that do not say otherwise refuse unknown keys, and the result is
 * compiled (`z.compile`). Schemas of other libraries pass as they are: they state their own strictness.
 */
export const prepareZod: PrepareSchema = (schema, unknownKeys) => {
  if (!isZod(schema)) return { schema, listKeys: new Set() }
  const closed = unknownKeys === 'refuse' ? closeObjects(schema) : schema
  return { schema: z.compile(closed), listKeys: listKeysOf(schema) }
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
