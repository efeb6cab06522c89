import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import * as carelessData from './careless-data.ts'
import * as careless from './careless.ts'
import * as without from './without.ts'

const packageFolder = fileURLToPath(new URL('../..', import.meta.url))
const seams = Object.keys({ ...without, ...careless, ...carelessData })

describe('given what takes guards out', () => {
  test('when the front doors are opened, none of them has it', async () => {
    const doors = globSync('src/entry/*.ts', { cwd: packageFolder })
    const names = await Promise.all(
      doors.map(async (door) => Object.keys((await import(join(packageFolder, door))) as object)),
    )
    expect(doors.length).toBeGreaterThan(10)
    expect(names.flat().filter((name) => seams.includes(name))).toEqual([])
  }, 60_000)

  test('when the sources are read, none of them reaches for it or knows its names', () => {
    const sources = globSync('src/**/*.ts', { cwd: packageFolder }).map((file) => join(packageFolder, file))
    const reaching = sources.filter((file) => {
      const text = readFileSync(file, 'utf8')
      return /from '[./]+\/test\//.test(text) || seams.some((name) => new RegExp(`\\b${name}\\b`).test(text))
    })
    expect(seams.length).toBeGreaterThan(15)
    expect(reaching).toEqual([])
  })
})

describe('given the package as it is published', () => {
  let files: readonly string[] = []
  beforeAll(() => {
    const packing = ['pack', '--dry-run', '--json', '--ignore-scripts']
    const report = JSON.parse(execFileSync('npm', packing, { cwd: packageFolder, encoding: 'utf8' })) as unknown
    // npm 11 gives a list, npm 12 an object by the package's name.
    const [packed] = Object.values(report as Record<string, { files: { path: string }[] }>)
    files = packed?.files.map(({ path }) => path) ?? []
  }, 60_000)

  test('when its files are listed, no file of these tests is among them', () => {
    expect(files, 'Run "npm run build" first').toContain('dist/entry/http.js')
    const own = globSync('**/*.ts', { cwd: import.meta.dirname }).map((file) => basename(file, '.ts'))
    const kit = new Set(globSync('src/**/*.ts', { cwd: packageFolder }).map((file) => basename(file, '.ts')))
    const foreign = own.filter((name) => !kit.has(name))
    expect(foreign).toContain('without')
    const isForeign = (file: string): boolean =>
      file.startsWith('test/') || foreign.some((name) => basename(file).startsWith(`${name}.`))
    expect(files.filter(isForeign)).toEqual([])
  })
})
