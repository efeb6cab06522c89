import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Library } from './plan.ts'

/** Where this command comes from, and with it the templates and the library. */
export interface Origin {
  readonly version: string
  readonly templates: string
  readonly library: Library
}

/**
 * @param packageFolder - the folder of create-holdfast: below node_modules when it was published, inside the repository
 * when it runs from a checkout
 */
export function findOrigin(packageFolder: string): Origin {
  const { version } = readManifest(packageFolder)
  const repository = join(packageFolder, '../..')
  if (readManifest(repository).name !== 'holdfast-repository') {
    return { version, templates: join(packageFolder, 'templates'), library: { kind: 'published', version } }
  }
  const folder = join(repository, 'packages/holdfast')
  return {
    version,
    templates: join(repository, 'templates'),
    library: { kind: 'packed', version: readManifest(folder).version, folder },
  }
}

function readManifest(folder: string): { readonly name?: string; readonly version: string } {
  const file = join(folder, 'package.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }) : { version: '' }
}
