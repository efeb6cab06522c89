// Accident: on a machine without Redis its tests are skipped, and a broken adapter passes as tested.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/**
 * Sees to it that the tests, and the processes they start, find a `redis-server` on PATH: the one that is there, or one
 * taken out of Debian's packages into a cache folder, which needs neither root nor leave of the system.
 */
export default function provideRedis(): void {
  const before = performance.now()
  const { version, from } = installed() ?? cached() ?? extracted()
  console.log(`${version} from ${from}, ${Math.round(performance.now() - before)} ms`)
}

interface Found {
  readonly version: string
  readonly from: string
}

function installed(): Found | undefined {
  const version = versionOf('redis-server') ?? versionOf('valkey-server')
  return version === undefined ? undefined : { version, from: 'PATH' }
}

function cached(): Found | undefined {
  const folder = cacheFolder()
  const version = versionOf(join(folder, 'bin', 'redis-server'))
  if (version === undefined) return undefined
  process.env['PATH'] = [join(folder, 'bin'), process.env['PATH']].join(delimiter)
  return { version, from: folder }
}

/** @throws {Error} with what to do when there are no packages to take it from */
function extracted(): Found {
  const folder = cacheFolder()
  const work = `${folder}.${randomBytes(6).toString('hex')}`
  try {
    sweep(folder)
    download(work)
    extract(work)
    publish(work, folder)
    return cached() ?? fail(`${folder} does not run`)
  } catch (error) {
    const { stderr } = error as { stderr?: string }
    return fail(stderr || String(error))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function fail(reason: string): never {
  throw new Error(
    `The tests need a Redis server on PATH and could not get one: "apt-get install redis-server" or "brew install redis"\n${reason.trim()}`,
  )
}

/** Named after the system, whose other libraries it needs. */
function cacheFolder(): string {
  const { ID = process.platform, VERSION_ID = '' } = osRelease()
  const root = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  return join(root, 'holdfast', `redis-${ID}${VERSION_ID}-${process.arch}`.replaceAll(/[^\w.-]/g, ''))
}

function osRelease(): Record<string, string> {
  if (!existsSync('/etc/os-release')) return {}
  const lines = readFileSync('/etc/os-release', 'utf8').matchAll(/^(\w+)="?([^"\n]*)"?$/gm)
  return Object.fromEntries(Array.from(lines, ([, name = '', value = '']) => [name, value]))
}

/** Its own words, when it runs and is new enough: 6.2 is the oldest whose scripts and options we use. */
function versionOf(program: string): string | undefined {
  try {
    const words = run(program, ['--version'], 10_000)
    const [, name, number = ''] = /^(\w+) server v=([\d.]+)/.exec(words) ?? []
    const [major = 0, minor = 0] = number.split('.').map(Number)
    return major > 6 || (major === 6 && minor >= 2) ? `${name} ${number}` : undefined
  } catch {
    return undefined
  }
}

function run(program: string, args: readonly string[], timeout: number, cwd?: string): string {
  return execFileSync(program, args, { cwd, timeout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** What a run that was killed left beside the cache goes away after an hour. */
function sweep(folder: string): void {
  const parent = join(folder, '..')
  mkdirSync(parent, { recursive: true })
  for (const name of readdirSync(parent).filter((each) => /^redis-.*\.[0-9a-f]{12}$/.test(each))) {
    const left = join(parent, name)
    const age = Date.now() - (statSync(left, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > 3_600_000) rmSync(left, { recursive: true, force: true })
  }
}

// The libraries are named and everything is reinstalled, so that what lies in the cache does not depend on what
// happens to be installed. The server is a link into redis-tools.
const packages = ['redis-server', 'redis-tools', 'liblzf1', 'libjemalloc2']

/** Into a folder of its own: apt's lists and cache of the system stay as they are, and its signatures are checked. */
function download(work: string): void {
  for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(work, 'apt', folder), { recursive: true })
  const options = [
    `Dir::State::lists=${work}/apt/lists`,
    `Dir::Cache=${work}/apt`,
    'Debug::NoLocking=true',
    'Acquire::Languages=none',
    'Acquire::Retries=2',
    'APT::Sandbox::User=',
  ].flatMap((option) => ['-o', option])
  const install = ['-y', '--no-install-recommends', '--download-only', '--reinstall', 'install', ...packages]
  run('apt-get', [...options, '-qq', 'update'], 120_000)
  run('apt-get', [...options, '-qq', ...install], 120_000)
}

function extract(work: string): void {
  const archives = join(work, 'apt', 'archives')
  const files = readdirSync(archives).filter((name) => name.endsWith('.deb'))
  for (const file of files) run('dpkg', ['-x', join(archives, file), join(work, 'root')], 60_000)
  rmSync(join(work, 'apt'), { recursive: true })

  mkdirSync(join(work, 'bin'))
  const libraries = readdirSync(join(work, 'root', 'usr', 'lib')).filter((name) => name.includes('-linux-gnu'))
  for (const program of ['redis-server', 'redis-cli']) {
    const file = join(work, 'bin', program)
    writeFileSync(file, wrapper(program, libraries))
    chmodSync(file, 0o755)
  }
}

function wrapper(program: string, libraries: readonly string[]): string {
  const path = libraries.map((name) => `$root/usr/lib/${name}`).join(':')
  return `#!/bin/sh\nroot=\${0%/*}/../root\nLD_LIBRARY_PATH=${path} exec "$root/usr/bin/${program}" "$@"\n`
}

/** The rename is the moment at which the cache exists. Of two runs the second keeps what the first has published. */
function publish(work: string, folder: string): void {
  if (existsSync(folder) && versionOf(join(folder, 'bin', 'redis-server')) === undefined) {
    const broken = `${folder}.${randomBytes(6).toString('hex')}`
    renameSync(folder, broken)
    rmSync(broken, { recursive: true, force: true })
  }
  try {
    renameSync(work, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  }
}
