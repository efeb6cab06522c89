// Accident: the demo runs last week's templates on today's library, and whoever looks at it judges neither.

import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeDemoPasswords } from './demo-accounts.ts'
import { demoEnvironment, type DemoOptions } from './demo-service.ts'
import { runStep, type Step } from './demo-steps.ts'
import { Stop } from './demo-stop.ts'

interface Assembly extends DemoOptions {
  readonly repository: string
  readonly signal: AbortSignal
}

/**
 * Leaves a service for the chosen edge, installed and seeded, and reuses it while what it was made of stays the same.
 * @returns its folder
 */
export async function assembleDemo({ edge, into, repository, signal }: Assembly): Promise<string> {
  const folder = join(into, edge)
  const stamp = join(into, `${edge}.stamp`)
  const creator = join(repository, 'packages/create-holdfast/dist/index.js')
  const run = (step: Pick<Step, 'title' | 'args' | 'timeoutMs'> & Partial<Step>): Promise<void> =>
    runStep({ command: process.execPath, cwd: repository, signal, ...step })

  await run({ title: 'Building the packages', args: [tscOf(repository), '-b'], timeoutMs: 300_000 })
  const wanted = fingerprint(repository)
  if (read(stamp) === wanted && existsSync(folder)) return folder

  mkdirSync(into, { recursive: true })
  // Also of one that was never finished: its people have passwords that nobody knows any more.
  if (existsSync(folder)) await forgetData(repository, folder)
  // First of all: a stamp beside an unfinished demo would vouch for it.
  rmSync(stamp, { force: true })
  rmSync(folder, { recursive: true, force: true })
  await run({
    title: `Assembling ${folder}`,
    args: [creator, folder, '--edge', edge, '--store', 'postgres', '--name', 'demo', '--no-install'],
    timeoutMs: 60_000,
  })
  await run({
    title: 'Installing its dependencies (npm install)',
    command: 'npm',
    args: ['install', '--no-audit', '--no-fund'],
    cwd: folder,
    timeoutMs: 600_000,
  })
  writeDemoPasswords(folder)
  await run({
    title: 'Migrating its database, seeding 200 products and two people',
    args: ['src/seed.ts'],
    cwd: folder,
    env: demoEnvironment(),
    timeoutMs: 120_000,
  })
  writeFileSync(`${stamp}.new`, wanted)
  renameSync(`${stamp}.new`, stamp)
  return folder
}

const tscOf = (repository: string): string => join(repository, 'node_modules/typescript/bin/tsc')

/** Everything that goes into a demo. */
function fingerprint(repository: string): string {
  const hash = createHash('sha256')
  const patterns = ['templates/**/*', 'packages/{holdfast,create-holdfast}/dist/**/*.js', 'packages/*/package.json']
  const files = globSync(patterns, { cwd: repository, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.js'))
    .map((entry) => join(entry.parentPath, entry.name))
  for (const file of files.toSorted()) hash.update(file).update('\0').update(readFileSync(file)).update('\0')
  return hash.digest('hex')
}

/** Migrations may have changed, and a database that has run the old ones would fit no longer. */
async function forgetData(repository: string, folder: string): Promise<void> {
  const door = join(repository, 'packages/holdfast/dist/entry/embedded-postgres.js')
  const { startEmbeddedPostgres } = (await import(door)) as typeof import('holdfast/embedded-postgres')
  const server = await startEmbeddedPostgres({ keep: join(folder, '.data/pg') })
  if (server.shared) throw new Stop(`The demo in ${folder} is running. Stop it, then run npm start again.`)
  await server.stop()
  // For root it does not lie in the folder.
  rmSync(server.directory, { recursive: true, force: true })
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
