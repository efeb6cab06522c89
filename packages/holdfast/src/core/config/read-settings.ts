import { closeSync, openSync, readSync } from 'node:fs'

export type Environment = Readonly<Record<string, string | undefined>>
/** Gives the text of the file at `path`, or throws. */
export type ReadFile = (path: string) => string

export interface RawSettings {
  /** What was set, by name. An empty text counts as not set. */
  readonly values: Readonly<Record<string, string>>
  /** Names whose value came from the file named by `NAME_FILE`. */
  readonly fromFile: ReadonlySet<string>
  readonly problems: ReadonlyMap<string, string>
}

/** A mounted secret is a line; a megabyte is a mistake such as the wrong path. */
const maxFileBytes = 64 * 1024

/** Takes the named settings, and nothing else, from the environment or from the file that `NAME_FILE` names. */
export function readSettings(names: Iterable<string>, env: Environment, readFile: ReadFile): RawSettings {
  const known = new Set(names)
  // No prototype, so that a setting called `constructor` is missing unless it is set.
  const values: Record<string, string> = Object.create(null)
  const fromFile = new Set<string>()
  const problems = new Map<string, string>()

  for (const name of known) {
    const value = valueOf(env, name)
    if (value !== undefined) values[name] = value
    const fileVariable = `${name}_FILE`
    const path = known.has(fileVariable) ? undefined : valueOf(env, fileVariable)
    if (path === undefined) continue
    if (value !== undefined) {
      problems.set(name, `${name} and ${fileVariable} are both set: keep one of them`)
      continue
    }
    try {
      const text = readFile(path).replace(/\r?\n$/, '')
      if (text === '') problems.set(name, `${fileVariable} names an empty file: ${printable(path)}`)
      values[name] = text
      fromFile.add(name)
    } catch (error) {
      problems.set(name, `${fileVariable} names a file that cannot be read: ${printable(path)} (${reasonOf(error)})`)
    }
  }
  return { values, fromFile, problems }
}

/** Reads at most 64 KiB of UTF-8 text; also from pipes and devices, which have no size to ask for beforehand. */
export function readTextFile(path: string): string {
  const file = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(maxFileBytes + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(file, buffer, length, buffer.length - length, null)
    }
    if (length > maxFileBytes) throw Object.assign(new Error('The file is too large'), { code: 'larger than 64 KiB' })
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length))
    } catch {
      // The decoder's error is replaced, since some runtimes show the bytes.
      throw Object.assign(new Error('The file is no text'), { code: 'not UTF-8 text' })
    }
  } finally {
    closeSync(file)
  }
}

function valueOf(env: Environment, name: string): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  return value === undefined || value === '' ? undefined : String(value)
}

/** The code alone: messages of other people's errors may quote what they read. */
function reasonOf(error: unknown): string {
  try {
    const code = (error as { code?: unknown } | null)?.code
    return typeof code === 'string' ? printable(code) : 'no reason given'
  } catch {
    return 'no reason given'
  }
}

function printable(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 200)}…` : text
  // oxlint-disable-next-line no-control-regex -- they are what must not reach a terminal
  return short.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')
}
