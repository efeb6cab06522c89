import type { Issue } from '../../foundation/errors.ts'
import type { Schema, SchemaIssue, SchemaResult } from '../../foundation/schema.ts'

/** Where a parsed value came from; the first step of every issue's path. */
export type InputPart = 'params' | 'query' | 'body' | 'cookies'

export type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly issues: Issue[] }

// A refusal names faults until a person would stop reading; an attacker's thousand faults cost us twenty.
const maxIssues = 20
const maxTextLength = 200

/** Checks one part of a request. Sync when the schema is; never throws for what was sent, only for a broken schema. */
export function parsePart(part: InputPart, schema: Schema, value: unknown): Parsed | Promise<Parsed> {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then((settled) => toParsed(part, settled)) : toParsed(part, result)
}

function toParsed(part: InputPart, result: SchemaResult<unknown>): Parsed {
  return result.issues === undefined
    ? { ok: true, value: result.value }
    : { ok: false, issues: result.issues.slice(0, maxIssues).map((issue) => toIssue(part, issue)) }
}

/** The three things a caller may learn of a fault: nothing else a library puts on its issues leaves the process. */
function toIssue(part: InputPart, issue: SchemaIssue): Issue {
  return {
    path: [part, ...(issue.path ?? []).map(toPathStep)],
    code: typeof issue.code === 'string' ? issue.code : 'invalid',
    message: shorten(issue.message),
  }
}

function toPathStep(step: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof step === 'object' ? step.key : step
  return typeof key === 'number' ? key : shorten(String(key))
}

const shorten = (text: string): string => (text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text)
