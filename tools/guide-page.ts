// Accident: an example is taught to the test instead of the reader, and the page says something else than what was run.
// What a page shows is all there is: its files, and its conversations in the form that docs/guides/README.md defines.

import { basename } from 'node:path'

export interface GuidePage {
  /** Name of the page's file, without `.md`. */
  readonly name: string
  /** Examples by file name, in order. */
  readonly files: ReadonlyMap<string, string>
  /** What its database is made of, by file name. */
  readonly migrations: ReadonlyMap<string, string>
  /** Its `.oxlintrc.json`, for a page that shows one. */
  readonly lint: string | undefined
  readonly talks: readonly Talk[]
}

/** What is said to each of the apps that stand above it. */
export interface Talk {
  readonly apps: readonly string[]
  readonly steps: readonly Step[]
}

export type Step = Exchange | Happening

export interface Exchange {
  readonly line: number
  readonly times: number
  readonly method: string
  /** A path, or `issuer:` and a path. */
  readonly target: string
  readonly headers: [name: string, value: string][]
  body: string | undefined
  readonly expected: Expectation[]
}

export type Expectation =
  | { readonly status: number }
  | { readonly header: string; readonly value: string | undefined }
  | { readonly json: unknown }

/** Something that happens between two requests, such as `Redis is gone`. */
export interface Happening {
  readonly line: number
  readonly happens: string
}

/** @throws {Error} naming page and line, for a block that is neither an example nor a conversation */
export function readGuide(file: string, text: string): GuidePage {
  const name = basename(file, '.md')
  const files = new Map<string, string>()
  const migrations = new Map<string, string>()
  const talks: Talk[] = []
  let lint: string | undefined
  let apps: string[] = []
  for (const { language, code, line } of blocksOf(text)) {
    if (language === 'ts') {
      const [, fileName] = /^\/\/ ([a-z.-]+\.ts)\n/.exec(code) ?? []
      if (fileName === undefined) throw new Error(`${name}.md:${line}: an example begins with // and its file name`)
      files.set(fileName, code)
      if (isApp(code)) apps.push(fileName)
    } else if (language === 'sql') {
      const [, fileName] = /^-- (migrations\/\d{4}_\w+\.sql)\n/.exec(code) ?? []
      if (fileName === undefined)
        throw new Error(`${name}.md:${line}: SQL begins with -- and the migration's file name`)
      migrations.set(fileName, code)
    } else if (code.startsWith('// .oxlintrc.json\n')) {
      lint = code
    } else if (language === 'http') {
      if (apps.length === 0 && talks.length === 0) throw new Error(`${name}.md:${line}: there is no example to talk to`)
      talks.push({ apps: apps.length > 0 ? apps : talks.at(-1)!.apps, steps: readTalk(`${name}.md`, code, line) })
      apps = []
    }
  }
  if (apps.length > 0) throw new Error(`${name}.md: nothing is said to ${apps.join(', ')}`)
  return { name, files, migrations, lint, talks }
}

/** How an example is run: a table by each main file, an app as it stands, a script from its beginning to its end. */
export type Kind = 'table' | 'app' | 'script' | 'part'

export function kindOf(page: GuidePage, file: string): Kind {
  const code = page.files.get(file) ?? ''
  if (/^export const http\b/m.test(code)) return 'table'
  if (isApp(code)) return 'app'
  return [...page.files.values()].some((other) => other.includes(`'./${file}'`)) ? 'part' : 'script'
}

const isApp = (code: string): boolean => /^export const http\b/m.test(code) || code.includes('app.listen(')

function* blocksOf(text: string): Generator<{ language: string; code: string; line: number }> {
  for (const found of text.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    const [, language = '', code = ''] = found
    yield { language, code, line: text.slice(0, found.index).split('\n').length + 1 }
  }
}

function readTalk(page: string, code: string, firstLine: number): Step[] {
  const steps: Step[] = []
  for (const [at, text] of code.split('\n').entries()) {
    const line = firstLine + at
    const happening = readHappening(text, line) ?? readRequest(text, line)
    if (happening !== undefined) steps.push(happening)
    else if (!addTo(steps.at(-1), text)) throw new Error(`${page}:${line}: what does this mean? ${text}`)
  }
  for (const step of steps) {
    if ('expected' in step && step.expected.length === 0) throw new Error(`${page}:${step.line}: no answer is expected`)
  }
  return steps
}

const readHappening = (text: string, line: number): Happening | undefined => {
  const [, happens] = /^\((.+)\)$/.exec(text) ?? []
  return happens === undefined ? undefined : { line, happens }
}

function readRequest(text: string, line: number): Exchange | undefined {
  const [, method, target, times] = /^([A-Z]+) (\S+)(?: × (\d+))?$/.exec(text) ?? []
  if (method === undefined || target === undefined) return undefined
  return { line, times: Number(times ?? 1), method, target, headers: [], body: undefined, expected: [] }
}

/** @returns whether the line belongs to the step before it */
function addTo(step: Step | undefined, text: string): boolean {
  if (text === '' || text.startsWith('# ')) return true
  if (step === undefined || 'happens' in step) return false
  const [, answer] = /^→ (.+)$/.exec(text) ?? []
  if (answer !== undefined) return step.expected.push(readExpectation(answer)) > 0
  const [, header, value] = /^([\w-]+): (.+)$/.exec(text) ?? []
  if (header !== undefined && value !== undefined) return step.headers.push([header, value]) > 0
  if (!text.startsWith('{')) return false
  step.body = text
  return true
}

function readExpectation(answer: string): Expectation {
  if (/^\d{3}$/.test(answer)) return { status: Number(answer) }
  const [, absent] = /^no ([\w-]+)$/.exec(answer) ?? []
  if (absent !== undefined) return { header: absent, value: undefined }
  const [, header, value] = /^([\w-]+): (.+)$/.exec(answer) ?? []
  if (header !== undefined && value !== undefined) return { header, value }
  return { json: JSON.parse(answer) as unknown }
}
