// Accident: a page names a file that was moved, or shows an example that has not compiled for a year.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const decisions = readdirSync(join(root, 'docs/decisions')).map((name) => `docs/decisions/${name}`)
const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'AGENTS.md', 'SECURITY.md', ...decisions]
const read = (page: string): string => readFileSync(join(root, page), 'utf8')

/** Paths in backticks and links; those with a placeholder, a pattern or no folder are words. */
function pathsIn(page: string): string[] {
  const text = read(page).replaceAll(/```.*?```/gs, '')
  const quoted = [...text.matchAll(/`([a-zA-Z0-9_./-]+)`/g)].map(([, path = '']) => path)
  const linked = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path)
  const isPath = (word: string): boolean =>
    word.includes('/') && (/\.(ts|mjs|md|json)$/.test(word) || word.endsWith('/'))
  return [...quoted.filter(isPath), ...linked].filter((path) => !path.startsWith('/') && !path.startsWith('./'))
}

// What is made when it is needed, or lies in an assembled service.
const madeLater = ['demo/', 'src/', 'vendor/', 'dist/']
const places = ['', 'packages/holdfast/', 'packages/holdfast/src/']

describe.each(pages)('given the page %s', (page) => {
  test('when it names a file, the file is there', () => {
    const missing = pathsIn(page).filter(
      (path) => !madeLater.includes(path) && !places.some((place) => existsSync(join(root, place, path))),
    )
    expect(missing).toEqual([])
  })
})

const running: ChildProcess[] = []
const folders: string[] = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** The example that begins with its file's name as a comment, in a project of its own. */
function extract(page: string, name: string): string {
  const code = [...read(page).matchAll(/```ts\n(.*?)```/gs)]
    .map(([, text = '']) => text)
    .find((text) => text.startsWith(`// ${name}\n`))
  if (code === undefined) throw new Error(`${page} has no example ${name}`)
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
  folders.push(folder)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, name), code)
  mkdirSync(join(folder, 'node_modules'))
  for (const dependency of ['holdfast', 'express', 'zod', 'pino', '@types']) {
    symlinkSync(join(root, 'node_modules', dependency), join(folder, 'node_modules', dependency))
  }
  return join(folder, name)
}

const compilerOptions = {
  module: 'nodenext',
  target: 'es2024',
  strict: true,
  noEmit: true,
  types: ['node'],
  skipLibCheck: true,
}

describe('given the service of the README', () => {
  test('when it is compiled as it stands, it compiles', () => {
    const folder = dirname(extract('README.md', 'hello.ts'))
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/.bin/tsc'), '-p', folder], {
      encoding: 'utf8',
    })
    expect(stdout).toBe('')
  })

  test('when it is started as it stands, it answers as the README says', async () => {
    const child = spawn(process.execPath, [extract('README.md', 'hello.ts')], {
      env: { ...process.env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    running.push(child)
    const url = await listeningUrl(child)
    const shown = await (await fetch(`${url}/boats/1`)).text()
    expect(shown).toBe('{"data":{"id":1,"name":"Kelp"}}')
    expect(read('README.md')).toContain(shown)
    const refused = await Promise.all(
      ['/boats/2', '/boats/x', '/Boats/1', '/boats/%zz'].map((path) => fetch(`${url}${path}`)),
    )
    expect(refused.map(({ status }) => status)).toEqual([404, 400, 404, 400])
    expect(new Set(refused.map(({ headers }) => headers.get('content-type')))).toEqual(
      new Set(['application/problem+json; charset=utf-8']),
    )
    child.kill('SIGKILL')
  })
})

async function listeningUrl(child: ChildProcess): Promise<string> {
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  for (;;) {
    const url = /"url":"([^"]+)"/.exec(output)?.[1]
    if (url !== undefined) return url
    if (child.exitCode !== null) throw new Error(`The example ended with ${child.exitCode}: ${output}`)
    await once(child.stdout as NodeJS.ReadableStream, 'data')
  }
}
