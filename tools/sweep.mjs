// Accident: a source is deleted or renamed, what was built from it stays in dist, and the next release publishes it.

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Removes from each package's dist what no source stands behind any more. */
export function sweepBuilds(root) {
  const packages = join(root, 'packages')
  for (const name of existsSync(packages) ? readdirSync(packages) : []) {
    const dist = join(packages, name, 'dist')
    if (!existsSync(dist)) continue
    for (const file of readdirSync(dist, { recursive: true })) {
      const built = /^(.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(file)
      if (built && !existsSync(join(packages, name, 'src', `${built[1]}.ts`))) rmSync(join(dist, file))
    }
  }
}
