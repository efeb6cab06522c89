import type { Schema } from '../../foundation/schema.ts'

/** What becomes of members that no schema names: refused with an issue, or left out of what the handler sees. */
export type UnknownKeys = 'refuse' | 'drop'

/** A schema made ready once, at registration, for many parses. */
export interface PreparedSchema {
  readonly schema: Schema
  /** Members that are lists, so that `?tag=a` reads as a list of one. Only known for object schemas. */
  readonly listKeys: ReadonlySet<string>
}

/**
 * Makes a schema ready: compiles it, and closes its objects when unknown keys are to be refused.
 * Each schema library has an adapter that fills this port; `holdfast/zod` is ours.
 */
export type PrepareSchema = (schema: Schema, unknownKeys: UnknownKeys) => PreparedSchema
