// Accident: an example runs beside the packages it was written with and not in the project of the person who copies it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lifeline = pathToFileURL(join(root, 'tools/lifeline.mjs')).href

/** A folder as a reader has it: files, their dependencies, nothing of this repository. */
export interface Project {
  readonly folder: string
  /** @returns what the compiler says; nothing when all is well */
  compile(): string
  /** @returns what oxlint says of one folder, by the settings that lie in it */
  lint(folder: string): { readonly isFine: boolean; readonly said: string }
  /** Runs a file in a process of its own and waits until it says where it listens. */
  start(file: string, env?: NodeJS.ProcessEnv): Promise<Running>
  /** Runs a file in a process of its own to its end, which has to be a good one. */
  run(file: string, env?: NodeJS.ProcessEnv): Promise<void>
  /** Ends what was started and removes the folder. */
  remove(): void
}

export interface Running {
  readonly url: string
  /** What it has said so far. */
  readonly output: () => string
  stop(): unknown
}

const dependencies = [
  'holdfast',
  'eslint-plugin-holdfast',
  'express',
  'fastify',
  'zod',
  'pino',
  'kysely',
  'mongoose',
  '@types',
]

const compilerOptions = {
  module: 'nodenext',
  target: 'es2024',
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noPropertyAccessFromIndexSignature: true,
  noUnusedLocals: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  types: ['node'],
  skipLibCheck: true,
}

/** @param files - text by path */
export function createProject(files: Readonly<Record<string, string>>): Project {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
  const children = new Set<ChildProcess>()
  write(folder, { 'package.json': '{ "type": "module" }', 'tsconfig.json': JSON.stringify({ compilerOptions }) })
  write(folder, files)
  mkdirSync(join(folder, 'node_modules'))
  for (const name of dependencies) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))

  function launch(file: string, env: NodeJS.ProcessEnv): { child: ChildProcess; output: () => string } {
    const child = spawn(process.execPath, ['--import', lifeline, join(folder, file)], {
      env: { PATH: process.env['PATH'], PORT: '0', ...env },
      // The channel is what the lifeline listens to: when this process dies, so does the example.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    children.add(child)
    let output = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => void (output += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => void (output += text))
    return { child, output: () => output }
  }

  return {
    folder,
    compile() {
      const tsc = join(root, 'node_modules/.bin/tsc')
      const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
      return stdout + stderr
    },
    lint(path) {
      const oxlint = join(root, 'node_modules/.bin/oxlint')
      const { status, stdout, stderr } = spawnSync(process.execPath, [oxlint], {
        cwd: join(folder, path),
        encoding: 'utf8',
      })
      return { isFine: status === 0, said: stdout + stderr }
    },
    start: (file, env = {}) =>
      new Promise((resolve, reject) => {
        const { child, output } = launch(file, env)
        child.once('close', (code) => reject(new Error(`${file} ended with ${code} and said:\n${output()}`)))
        child.stdout?.on('data', () => {
          const port = portIn(output())
          if (port !== undefined)
            resolve({ url: `http://127.0.0.1:${port}`, output, stop: () => child.kill('SIGKILL') })
        })
      }),
    run: (file, env = {}) =>
      new Promise((resolve, reject) => {
        const { child, output } = launch(file, env)
        child.once('close', (code) => {
          if (code === 0) resolve()
          else reject(new Error(`${file} ended with ${code} and said:\n${output()}`))
        })
      }),
    remove() {
      for (const child of children) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

/** From a line of the log with its URL, or from an address as Node prints it. */
const portIn = (output: string): string | undefined =>
  /"url":"http:\/\/127\.0\.0\.1:(\d+)|http:\/\/127\.0\.0\.1:(\d+)\s|\bport: (\d+)/.exec(output)?.slice(1).find(Boolean)
