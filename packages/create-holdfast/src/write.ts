import { lstatSync, readdirSync, realpathSync, type Stats } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import type { PlannedFile } from './plan.ts'
import { failed, interrupted, Refusal, wrongUsage } from './refusal.ts'

export interface WriteOptions {
  /** Absolute. Must not exist, or be an empty folder. */
  readonly directory: string
  readonly files: readonly PlannedFile[]
  /** Puts the tarball of the package in `folder` at `file`. */
  readonly pack: (folder: string, file: string, signal: AbortSignal) => Promise<void>
  /** Stops the work; what was written until then is removed. */
  readonly signal: AbortSignal
}

/**
 * Writes a service whole or not at all: into a folder beside its place, which then takes that place in one step.
 *
 * @throws {Refusal} when the place is taken, cannot be written, or the work was interrupted
 */
export async function writeService({ directory, files, pack, signal }: WriteOptions): Promise<void> {
  const place = assertFree(directory)
  const firstMade = await mkdir(dirname(place), { recursive: true }).catch((cause) => refuse(place, cause))
  await sweep(place)
  const staging = await mkdtemp(`${stagingPrefix(place)}${process.pid}-`).catch((cause) => refuse(place, cause))
  try {
    for (const file of files) {
      stopIf(signal)
      const path = pathInside(staging, file.path)
      await mkdir(dirname(path), { recursive: true })
      if ('text' in file) await writeFile(path, file.text, { flag: 'wx', signal })
      else await pack(file.packFrom, path, signal)
    }
    stopIf(signal)
    // mkdtemp closes its folder to everyone else, which nobody expects of a project.
    await chmod(staging, 0o777 & ~process.umask())
    await takePlace(staging, place)
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    if (firstMade !== undefined) await removeEmpty(dirname(place), firstMade)
    if (signal.aborted) throw interrupted()
    throw error instanceof Refusal ? error : refusal(place, error)
  }
}

/** Takes back the folders that were made on the way, as far as nothing else came into them meanwhile. */
async function removeEmpty(folder: string, upTo: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch {
    return
  }
  if (folder !== upTo) await removeEmpty(dirname(folder), upTo)
}

const stagingPrefix = (place: string): string => join(dirname(place), `.${basename(place)}.unfinished-`)

/** Removes what attempts at the same place left behind that were killed too suddenly to do it themselves. */
async function sweep(place: string): Promise<void> {
  const prefix = stagingPrefix(place)
  for (const name of readFolder(dirname(place))) {
    const path = join(dirname(place), name)
    const pid = path.startsWith(prefix) ? /^(\d+)-\w{6}$/.exec(path.slice(prefix.length))?.[1] : undefined
    if (pid !== undefined && !isRunning(Number(pid))) await rm(path, { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // Somebody else's process runs as well, though we may not signal it.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/**
 * @returns the same place with the links on the way to it resolved
 * @throws {Refusal} when something is there that would be lost or led astray
 */
export function assertFree(directory: string): string {
  const place = join(realOf(dirname(directory)), basename(directory))
  const found = statOf(place)
  if (found === undefined) return place
  if (found.isSymbolicLink())
    throw wrongUsage(
      `${directory} is a link, and the service would replace it. Name another directory, or remove the link.`,
    )
  if (!found.isDirectory()) throw wrongUsage(`${directory} is a file. Name another directory, or remove the file.`)
  const [first] = readFolder(place)
  if (first !== undefined)
    throw wrongUsage(
      `${directory} is not empty (${first} is there), and nothing in it may be lost. Name a new directory.`,
    )
  if (`${realpathSync(process.cwd())}${sep}`.startsWith(`${place}${sep}`))
    throw wrongUsage(`${directory} is where you are, and it has to be replaced. Run this one level up, with its name.`)
  return place
}

/** The nearest part that exists may be behind links; the rest is made as named. */
function realOf(folder: string): string {
  try {
    return realpathSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw refusal(folder, error)
    if (statOf(folder)?.isSymbolicLink())
      throw wrongUsage(`${folder} is a link that leads nowhere. Remove it, or name another directory.`)
    return join(realOf(dirname(folder)), basename(folder))
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw refusal(path, error)
  }
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    throw refusal(path, error)
  }
}

function pathInside(root: string, path: string): string {
  const target = resolve(root, path)
  if (!target.startsWith(`${root}${sep}`)) throw new TypeError(`The plan leaves the service: ${path}`)
  return target
}

/** A rename replaces an empty folder in one step, except on Windows; what fills up in between is refused, not lost. */
async function takePlace(staging: string, place: string): Promise<void> {
  if (process.platform === 'win32' && statOf(place)) await rmdir(place)
  await rename(staging, place)
}

function stopIf(signal: AbortSignal): void {
  if (signal.aborted) throw interrupted()
}

const advice: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there. Choose another place, or change its permissions',
  EPERM: 'you may not write there. Choose another place, or change its permissions',
  EROFS: 'that file system is read-only. Choose another place',
  ENOSPC: 'the disk is full. Make room and try again',
  ENOTDIR: 'a part of that path is a file. Choose another place',
  ELOOP: 'its links lead in a circle. Choose another place',
  ENAMETOOLONG: 'the path is too long. Choose a shorter one',
  EBUSY: 'something is mounted there. Choose a directory inside it',
  ENOTEMPTY: 'something else filled that directory at the same time. Choose another place',
  EEXIST: 'something else filled that directory at the same time. Choose another place',
}

function refusal(place: string, cause: unknown): Refusal {
  const code = (cause as NodeJS.ErrnoException).code ?? ''
  return failed(`${place} cannot be written: ${advice[code] ?? String(cause)}.`, cause)
}

function refuse(place: string, cause: unknown): never {
  throw refusal(place, cause)
}
