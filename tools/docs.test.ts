// Accident: a page names a file that was moved, or shows an example that has not compiled for a year.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createProject, type Project } from './guide-runner.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const pagesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'AGENTS.md',
  'SECURITY.md',
  'packages/holdfast/README.md',
  ...pagesIn('docs'),
]
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
      (path) =>
        !madeLater.includes(path) && ![dirname(page), ...places].some((place) => existsSync(join(root, place, path))),
    )
    expect(missing).toEqual([])
  })
})

/** The example that begins with its file's name as a comment. */
function exampleIn(page: string, name: string): string {
  const code = [...read(page).matchAll(/```ts\n(.*?)```/gs)]
    .map(([, text = '']) => text)
    .find((text) => text.startsWith(`// ${name}\n`))
  if (code === undefined) throw new Error(`${page} has no example ${name}`)
  return code
}

describe('given the service of the README', () => {
  let project: Project
  beforeAll(() => {
    project = createProject({ 'hello.ts': exampleIn('README.md', 'hello.ts') })
  })
  afterAll(() => project.remove())

  test('when it is compiled as it stands, it compiles', () => {
    expect(project.compile()).toBe('')
  })

  test('when it is started as it stands, it answers as the README says', async () => {
    const { url } = await project.start('hello.ts')
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
  })
})
