// Accident: everything is green in the repository, and the published package lacks a file, a subpath or a type.

import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const repository = resolve(import.meta.dirname, '..')

interface Manifest {
  readonly exports?: Record<string, string | { readonly types?: string; readonly default: string }>
  readonly dependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
}
const readManifest = (folder: string) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest

const workspace = mkdtempSync(join(tmpdir(), 'holdfast-packaging-'))
afterAll(() => rmSync(workspace, { recursive: true, force: true }))

/** Packs `name` as a release would and lays it into a project of its own, with its dependencies linked from here. */
function installPacked(name: string, projectName: string) {
  const source = join(repository, 'packages', name)
  if (!existsSync(join(source, 'dist'))) throw new Error(`packages/${name}/dist is missing. Run "npm run build" first.`)
  const project = join(workspace, projectName)
  const modules = join(project, 'node_modules')
  const installed = join(modules, name)
  mkdirSync(installed, { recursive: true })
  execFileSync('npm', ['pack', '--pack-destination', project], { cwd: source, stdio: 'pipe' })
  const tarball = join(project, readdirSync(project).find((file) => file.endsWith('.tgz')) ?? 'no tarball')
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
  const { dependencies, peerDependencies } = readManifest(installed)
  for (const dependency of ['@types', ...Object.keys({ ...dependencies, ...peerDependencies })]) {
    mkdirSync(dirname(join(modules, dependency)), { recursive: true })
    symlinkSync(join(repository, 'node_modules', dependency), join(modules, dependency))
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }')
  return { source, project, installed, tarball }
}

/** What is left of the environment for a program that must stand alone. */
const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] }
const runNode = (cwd: string, ...args: string[]) => spawnSync(process.execPath, args, { cwd, env, encoding: 'utf8' })
const bin = (name: string) => join(repository, 'node_modules/.bin', name)

describe.each(['holdfast', 'create-holdfast', 'eslint-plugin-holdfast'])(
  'given %s as packed for the registry',
  (name) => {
    let packed: ReturnType<typeof installPacked>
    let files: string[]
    beforeAll(() => {
      packed = installPacked(name, name)
      files = globSync('**/*', { cwd: packed.installed, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(packed.installed.length + 1))
    })

    test('it holds no tests, no build records and no sources', () => {
      const library = files.filter((file) => !file.startsWith('templates/'))
      expect(library.filter((file) => /\.test\.|\.bench\.|tsbuildinfo$|^src\/|(?<!\.d)\.ts$/.test(file))).toEqual([])
    })

    test('every built file comes from a source of this package', () => {
      const orphans = files
        .filter((file) => /^dist\/.*\.js$/.test(file))
        .filter((file) => !existsSync(join(packed.source, file.replace('dist/', 'src/').replace(/\.js$/, '.ts'))))
      expect(orphans, `stale: delete packages/${name}/dist and run "npm run build"`).toEqual([])
    })

    test('no file names a path of the machine it was built on', () => {
      const traces = [repository, `${homedir()}/`]
      const named = files.filter((file) => {
        const text = readFileSync(join(packed.installed, file), 'utf8')
        return traces.some((trace) => text.includes(trace))
      })
      expect(named).toEqual([])
    })

    test('publint finds no error and no warning', async () => {
      const { messages, pkg } = await publint({ pkgDir: packed.installed, pack: false, level: 'warning', strict: true })
      expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
    })

    test('its types resolve as its code does', () => {
      const { exports = {} } = readManifest(packed.installed)
      if (Object.keys(exports).length === 0) return
      const options = [
        '--profile',
        'esm-only',
        '--no-definitely-typed',
        '--format',
        'ascii',
        '--no-emoji',
        '--no-color',
      ]
      const { status, stdout, stderr } = runNode(packed.project, bin('attw'), packed.tarball, ...options)
      expect(status, stdout + stderr).toBe(0)
    })
  },
)

describe('given the front doors of holdfast', () => {
  const entryFolder = join(repository, 'packages/holdfast/src/entry')
  const doors = globSync('*.ts', { cwd: entryFolder })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => basename(file, '.ts'))
    .toSorted()
  const specifier = (door: string) => (door === 'index' ? 'holdfast' : `holdfast/${door}`)
  const listNames = (door: string) => parseNames(readFileSync(join(entryFolder, `${door}.ts`), 'utf8'))

  let packed: ReturnType<typeof installPacked>
  beforeAll(() => {
    packed = installPacked('holdfast', 'front-doors')
  })

  test('package.json#exports names each of them and nothing else', () => {
    const { exports = {} } = readManifest(join(repository, 'packages/holdfast'))
    const targets = Object.entries(exports)
      .filter(([subpath]) => subpath !== './package.json')
      .map(([subpath, target]) => [subpath, typeof target === 'string' ? target : target.default])
    const expected = doors.map((door) => [door === 'index' ? '.' : `./${door}`, `./dist/entry/${door}.js`])
    expect(Object.fromEntries(targets)).toEqual(Object.fromEntries(expected))
  })

  // By path and not by subpath: tools that check types take every subpath for a module.
  test.each(['sessions.sql', 'api-keys.sql'])('sql/%s lies beside them, as it is here', (file) => {
    const [shipped, source] = [packed.installed, packed.source].map((folder) =>
      readFileSync(join(folder, 'sql', file), 'utf8'),
    )
    expect(shipped).toBe(source)
  })

  test.each(doors)('%s is imported alone, with the names its source lists', (door) => {
    const names = listNames(door)
    const script = `console.log(JSON.stringify(Object.keys(await import('${specifier(door)}'))))`
    const { status, stdout, stderr } = runNode(packed.project, '--input-type=module', '--eval', script)
    expect(status, stderr).toBe(0)
    expect((JSON.parse(stdout) as string[]).toSorted()).toEqual(names.values.toSorted())
    expect(names.values.length + names.types.length).toBeGreaterThan(0)
  })

  test('a strict project of a user compiles against every name', () => {
    for (const door of doors) {
      const { values, types } = listNames(door)
      const list = [...values, ...types.map((type) => `type ${type}`)].join(', ')
      writeFileSync(join(packed.project, `${door}.ts`), `export { ${list} } from '${specifier(door)}'\n`)
    }
    writeFileSync(join(packed.project, 'none.ts'), 'export {}\n')
    const compilerOptions = { module: 'nodenext', target: 'es2024', strict: true, noEmit: true, types: ['node'] }
    writeFileSync(join(packed.project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    // One thread: each would read the types of every driver for itself.
    const { status, stdout } = runNode(packed.project, bin('tsc'), '-p', '.', '--singleThreaded')
    expect(status, stdout).toBe(0)
  }, 120_000)
})

/** The names in `export { … }` and `export type { … }`. A door lists them by name, so `export *` is refused. */
function parseNames(source: string) {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
  if (/export\s*\*/.test(code)) throw new Error('A front door lists its names; "export *" hides them.')
  const values: string[] = []
  const types: string[] = []
  for (const [, allTypes, list = ''] of code.matchAll(/export\s+(type\s+)?\{([^}]*)\}/g)) {
    for (const item of list
      .split(',')
      .map((text) => text.trim())
      .filter(Boolean)) {
      const [, type, name, alias] = /^(type\s+)?(\w+)(?:\s+as\s+(\w+))?$/.exec(item) ?? []
      ;((allTypes ?? type) ? types : values).push(alias ?? name ?? item)
    }
  }
  return { values, types }
}
