import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'

/**
 * A folder with `initdb` and `postgres` that the server's account can run: the package itself where that is possible,
 * else a copy beside other temporary files. A package below `/root` is closed to any other account, and one that
 * somebody else installed without its scripts lacks links that we may not add.
 *
 * @throws {Error} when the place of the copy is taken by something that is not ours
 */
export function runnableBinaries(binaries: Binaries, account: Account | undefined): string {
  const isUsable = canRun(binaries.folder, account) && addLinks(binaries.folder)
  return join(isUsable ? binaries.folder : publishedCopy(binaries), 'native', 'bin')
}

function canRun(folder: string, account: Account | undefined): boolean {
  const programs = ['initdb', 'postgres'].map((name) => join(folder, 'native', 'bin', name))
  if (account !== undefined) return programs.every(isOpenToAll)
  return programs.every((program) => {
    try {
      accessSync(program, constants.R_OK | constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** True when any account may run `file`: it and every folder above it lets others in. */
export function isOpenToAll(file: string): boolean {
  const mode = statSync(file).mode
  if ((mode & 0o005) !== 0o005) return false
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

interface Link {
  readonly source: string
  readonly target: string
}

/**
 * Makes the links between libraries that npm cannot pack. The package's install script makes them too, but install
 * scripts are often switched off, with good reason.
 *
 * @returns false where they are missing and we may not write
 */
function addLinks(folder: string): boolean {
  const links = JSON.parse(readFileSync(join(folder, 'native', 'pg-symlinks.json'), 'utf8')) as readonly Link[]
  try {
    for (const { source, target } of links) addLink(basename(source), join(folder, target))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false
    throw error
  }
}

function addLink(source: string, target: string): void {
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return
  try {
    symlinkSync(source, target)
  } catch (error) {
    // Another process made it in between.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function publishedCopy({ folder, version }: Binaries): string {
  const uid = process.getuid?.() ?? 0
  const copy = join(openTemporaryFolder(), `holdfast-postgres-${version}-${process.arch}-${uid}`)
  if (lstatSync(copy, { throwIfNoEntry: false }) === undefined) {
    const unfinished = mkdtempSync(`${copy}-`)
    cpSync(join(folder, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true })
    addLinks(unfinished)
    openUp(unfinished)
    publish(unfinished, copy)
  }
  assertOwn(copy, uid)
  return copy
}

/** Renaming is the last step, so whoever finds the copy finds the whole of it. */
function publish(unfinished: string, copy: string): void {
  try {
    renameSync(unfinished, copy)
  } catch {
    // Another process was faster, or the name is taken by something that the check to come refuses.
    rmSync(unfinished, { recursive: true, force: true })
  }
}

// Anybody may write to a temporary folder, and guess this name: what we run must be ours and only ours to change.
function assertOwn(copy: string, uid: number): void {
  const found = lstatSync(copy)
  const isOwn = found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0
  if (!isOwn) throw new Error(`${copy} does not belong to this user; remove it, or set DATABASE_URL`)
}

function openTemporaryFolder(): string {
  const own = tmpdir()
  return isOpenToAll(own) ? own : '/tmp'
}

/** Whatever the umask was: everybody may read and run, only the owner may write. */
function openUp(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) openUp(path)
    else if (entry.isFile()) chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755)
  }
}
