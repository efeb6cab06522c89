import { isNativeError, isProxy } from 'node:util/types'
import { isSecretName, type PathNode } from './redaction.ts'

const maxDepth = 8
const maxEntries = 100
const maxTextLength = 8192
/** Characters and entries for one line, so that no field can make a line of megabytes. */
const lineTextLength = 65_536
const lineEntries = 2000

const redacted = '[redacted]'
const unreadable = '[unreadable]'

// Beyond what JSON escapes: C1 controls steer some terminals, and U+2028 ends a line for some readers.
const strayControls = /[\u007f-\u009f\u2028\u2029]/g
// oxlint-disable-next-line no-control-regex -- control characters are the subject
const allControls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g
// oxlint-disable-next-line no-control-regex -- control characters are the subject
const allControlsButBreaks = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g

/** Names pino gives a meaning of its own; a field of that name would forge it, or be dropped. */
const takenNames: ReadonlySet<string> = new Set([
  'level',
  'time',
  'pid',
  'hostname',
  'msg',
  'socket',
  'serializers',
  'formatters',
  'customLevels',
  'hasOwnProperty',
  '__proto__',
])

export interface PrintOptions {
  readonly paths: PathNode
  /** For output that a terminal shows as it is: control characters in texts become visible. */
  readonly escapesControls: boolean
}

/**
 * Copies the fields of a line into plain, bounded data that serialises without running anybody's code again.
 * Whatever the fields hold (getters and proxies that throw, cycles, BigInt, megabytes), this neither throws nor
 * grows without bound.
 */
export function toPrintable(fields: unknown, options: PrintOptions): Record<string, unknown> {
  const printer = new Printer(options)
  const line: Record<string, unknown> = {}
  try {
    if (fields instanceof Error) line['err'] = printer.print(fields, 0, options.paths.children.get('err'))
    else if (typeof fields === 'object' && fields !== null)
      printer.copyFields(fields, line, 0, options.paths, takenNames)
  } catch {
    line['fields'] = unreadable
  }
  return line
}

/** A message as it may stand in a line. */
export function toPrintableText(text: unknown, options: Pick<PrintOptions, 'escapesControls'>): string {
  try {
    return withoutControls(
      truncated(String(text), maxTextLength),
      options.escapesControls ? allControls : strayControls,
    )
  } catch {
    return unreadable
  }
}

const plainNames = new Set<string>()

class Printer {
  readonly #options: PrintOptions
  readonly #ancestors: object[] = []
  #textLeft = lineTextLength
  #entriesLeft = lineEntries

  constructor(options: PrintOptions) {
    this.#options = options
  }

  print(value: unknown, depth: number, path: PathNode | undefined): unknown {
    switch (typeof value) {
      case 'string':
        return this.#text(value, this.#options.escapesControls ? allControls : strayControls)
      case 'number':
        return Number.isFinite(value) ? value : String(value)
      case 'bigint':
        return this.#text(value.toString(), strayControls)
      case 'object':
        return value === null ? null : this.#object(value, depth, path)
      case 'boolean':
        return value
      default:
        return undefined
    }
  }

  copyFields(
    source: object,
    target: Record<string, unknown>,
    depth: number,
    path: PathNode | undefined,
    taken?: ReadonlySet<string>,
  ): void {
    const keys = Object.keys(source)
    let copied = 0
    for (const key of keys) {
      if (copied === maxEntries || this.#entriesLeft-- <= 0) break
      copied++
      const name = taken?.has(key) || key === '__proto__' ? `${key}_` : this.#name(key)
      const value = this.#field(source, key, depth, path?.children.get(key))
      if (value !== undefined) target[name] = value
    }
    if (keys.length > copied) target['…'] = `${keys.length - copied} more`
  }

  #field(source: object, key: string, depth: number, path: PathNode | undefined): unknown {
    if (path?.isEnd || isSecretName(key)) return redacted
    try {
      return this.print((source as Record<string, unknown>)[key], depth, path)
    } catch {
      return unreadable
    }
  }

  #object(value: object, depth: number, path: PathNode | undefined): unknown {
    if (depth >= maxDepth) return '[too deep]'
    if (this.#ancestors.includes(value)) return '[circular]'
    this.#ancestors.push(value)
    try {
      return this.#copy(value, depth + 1, path)
    } catch {
      return unreadable
    } finally {
      this.#ancestors.pop()
    }
  }

  #copy(value: object, depth: number, path: PathNode | undefined): unknown {
    if (isNativeError(value) || value instanceof Error) return this.#error(value, depth, path)
    if (Array.isArray(value)) return this.#list(value, value.length, depth, path)
    if (value instanceof Date) return dateText(value)
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
    if (value instanceof URL) return this.#text(withoutPassword(value), allControls)
    if (value instanceof RegExp) return this.#text(String(value), strayControls)
    if (value instanceof Set) return this.#list(value, value.size, depth, path)
    if (value instanceof Map) return this.#map(value, depth, path)
    const { toJSON } = value as { toJSON?: unknown }
    if (typeof toJSON === 'function') return this.print(toJSON.call(value), depth, path)
    const copy: Record<string, unknown> = {}
    this.copyFields(value, copy, depth, path)
    return copy
  }

  #list(values: Iterable<unknown>, length: number, depth: number, path: PathNode | undefined): unknown[] {
    const copy: unknown[] = []
    for (const value of values) {
      if (copy.length === maxEntries || this.#entriesLeft-- <= 0) {
        copy.push(`… ${length - copy.length} more`)
        break
      }
      const step = path?.children.get(String(copy.length))
      copy.push(step?.isEnd ? redacted : (this.print(value, depth, step) ?? null))
    }
    return copy
  }

  #map(map: Map<unknown, unknown>, depth: number, path: PathNode | undefined): unknown {
    const fields: Record<string, unknown> = Object.create(null)
    for (const [key, value] of map) {
      if (typeof key !== 'string') return `[map of ${map.size}]`
      fields[key] = value
      if (Object.keys(fields).length > maxEntries) break
    }
    const copy: Record<string, unknown> = {}
    this.copyFields(fields, copy, depth, path)
    return copy
  }

  /** An error's text and own fields; `cause` and `errors` too, which are not enumerable. */
  #error(error: Error, depth: number, path: PathNode | undefined): unknown {
    const copy: Record<string, unknown> = {}
    for (const [name, key] of errorFields) {
      const step = path?.children.get(key)
      const value = key === 'stack' && !step?.isEnd ? this.#stack(error) : this.#field(error, key, depth, step)
      if (value !== undefined) copy[name] = value
    }
    const rest: Record<string, unknown> = {}
    this.copyFields(error, rest, depth, path)
    return { ...rest, ...copy }
  }

  #stack(error: Error): unknown {
    try {
      const { stack } = error
      if (typeof stack !== 'string') return undefined
      return this.#text(stack, this.#options.escapesControls ? allControlsButBreaks : strayControls)
    } catch {
      return unreadable
    }
  }

  #name(key: string): string {
    this.#textLeft = Math.max(0, this.#textLeft - Math.min(key.length, 200))
    if (plainNames.has(key)) return key
    if (key.length > 200 || key.search(allControls) !== -1) return withoutControls(key.slice(0, 200), allControls)
    // Keys of somebody's data are endless; the service's own field names come first and stay.
    if (plainNames.size < 2000) plainNames.add(key)
    return key
  }

  #text(text: string, controls: RegExp): string {
    const short = truncated(text, Math.min(maxTextLength, this.#textLeft))
    this.#textLeft = Math.max(0, this.#textLeft - short.length)
    return withoutControls(short, controls)
  }
}

const errorFields: readonly (readonly [string, string])[] = [
  ['type', 'name'],
  ['message', 'message'],
  ['stack', 'stack'],
  ['cause', 'cause'],
  ['errors', 'errors'],
]

function truncated(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… ${text.length - length} more characters`
}

function withoutControls(text: string, controls: RegExp): string {
  // Nearly all texts have none, and a search is cheaper than a replacement of nothing.
  if (text.search(controls) === -1) return text
  return text.replace(controls, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** By the built-in methods: a subclass may answer with anything. */
function dateText(date: Date): string {
  const time = Date.prototype.getTime.call(date)
  return Number.isNaN(time) ? 'Invalid Date' : new Date(time).toISOString()
}

function withoutPassword(url: URL): string {
  if (isProxy(url) || url.password === '') return url.href
  const copy = new URL(url)
  copy.password = redacted
  return copy.href
}
