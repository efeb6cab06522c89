import type { OutputOf, Schema, SchemaIssue } from '../../foundation/schema.ts'
import { ConfigError } from './config-error.ts'
import { readSettings, readTextFile, type Environment, type RawSettings, type ReadFile } from './read-settings.ts'
import { assertRelations, type Relation } from './relations.ts'
import { keysOf } from './schema-keys.ts'

export interface LoadConfigOptions<Settings> {
  /** Where the settings stand, usually `process.env`. Only names in the schema are looked at. */
  readonly env: Environment
  /** Rules between settings, worked out once each setting is right by itself. All broken ones are reported. */
  readonly relations?: (settings: Settings) => readonly Relation[]
  /** The settings to look for. Needed only for schemas that do not list theirs; Zod and Valibot objects do. */
  readonly names?: readonly string[]
  /** Reads the file that a `NAME_FILE` variable names. Default: UTF-8 text of at most 64 KiB */
  readonly readFile?: ReadFile
}

/**
 * Parses the environment once, at start, into typed and frozen settings.
 *
 * - `NAME_FILE=/run/secrets/name` stands for `NAME`, as Docker and Kubernetes mount secrets; one newline at the end is
 *   dropped. Setting both is an error.
 * - An empty value counts as missing.
 * - A field's `.meta({ description })` becomes the advice when it is missing, so say there what to set.
 *
 * @throws {ConfigError} listing every problem by name, never by value
 * @throws {TypeError} when a rule of the schema waits or throws, or when the schema does not list its settings and
 *   `names` is absent
 */
export function loadConfig<S extends Schema<unknown, unknown>>(
  schema: S,
  options: LoadConfigOptions<OutputOf<S>>,
): Readonly<OutputOf<S>> {
  const described = keysOf(schema)
  const names = options.names ?? described?.keys()
  if (!names) throw new TypeError('This schema does not list its settings: pass them to loadConfig as `names`')

  const raw = readSettings(names, options.env, options.readFile ?? readTextFile)
  const result = validate(schema, raw)
  const problems = new Set(raw.problems.values())
  for (const issue of result.issues ?? []) {
    const name = nameIn(issue)
    // What is wrong with the file says more than what is wrong with the text it did not give.
    if (name === undefined || !raw.problems.has(name)) problems.add(describe(name, issue, raw, described))
  }
  if (result.issues || problems.size > 0) throw new ConfigError([...problems])

  const settings = deepFreeze(result.value as OutputOf<S>)
  if (options.relations) assertRelations(options.relations(settings))
  return settings
}

type Descriptions = ReadonlyMap<string, string | undefined> | undefined

type Validated = { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

function validate(schema: Schema<unknown, unknown>, raw: RawSettings): Validated {
  let result: Validated | Promise<Validated>
  try {
    result = schema['~standard'].validate(raw.values)
  } catch {
    // What a broken rule throws may quote the value it was given, so neither its text nor the error is kept.
    return { issues: [{ message: 'A rule of the settings schema threw instead of reporting a problem' }] }
  }
  if (result instanceof Promise) {
    result.catch(() => {})
    // Zod answers with a promise also when a rule threw, and tries again in case the rule only wanted to wait.
    throw new TypeError('Settings need a schema whose rules neither wait nor throw: report problems as issues')
  }
  return result
}

function nameIn(issue: SchemaIssue): string | undefined {
  const first = issue.path?.[0]
  if (first === undefined) return undefined
  return String(typeof first === 'object' ? first.key : first)
}

function describe(name: string | undefined, issue: SchemaIssue, raw: RawSettings, described: Descriptions): string {
  const message = withoutValues(issue.message, name, raw)
  if (name === undefined) return message
  const description = described?.get(name)
  const advice = description === undefined ? '' : ` (${description})`
  if (raw.values[name] !== undefined) {
    return `${name}${raw.fromFile.has(name) ? `, read from ${name}_FILE,` : ''} is wrong: ${message}${advice}`
  }
  // A rule of the schema's author knows better why the setting is needed than the type check does.
  if (issue.code === 'custom') return `${name} is missing: ${message}${advice}`
  return `${name} is missing: ${description ?? `set it, or name a file that holds it in ${name}_FILE`}`
}

/** Messages of hand-written rules and of some schema libraries quote what they were given. */
function withoutValues(message: string, name: string | undefined, raw: RawSettings): string {
  let safe = String(message)
  for (const [owner, value] of Object.entries(raw.values)) {
    // `production` in the message of another setting is a word; a long text there is a quote.
    if (owner !== name && value.length < 16) continue
    for (const form of [value, value.trim(), JSON.stringify(value).slice(1, -1)]) {
      const pattern = quoteOf(form)
      if (pattern) safe = safe.replace(pattern, '[value]')
    }
  }
  return safe
}

function quoteOf(value: string): RegExp | undefined {
  const literal = value.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  if (value.length >= 6) return new RegExp(literal, 'gi')
  // Short texts are parts of common words, and short numbers are limits that the message has to name.
  return /\p{L}/u.test(value) ? new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, 'giu') : undefined
}

/** Plain objects and arrays only: freezing another class breaks it or, as with Date and Map, does not hold. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value
  Object.freeze(value)
  for (const key of Reflect.ownKeys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key)
    if (property && 'value' in property) deepFreeze(property.value)
  }
  return value
}
