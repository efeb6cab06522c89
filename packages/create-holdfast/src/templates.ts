import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import type { LayerName } from './layers.ts'
import { failed } from './refusal.ts'

/** One file of a layer, as it stands in `templates/`. */
export interface TemplateFile {
  readonly layer: LayerName
  /** Below its layer, with `/` on every platform. */
  readonly path: string
  readonly text: string
}

/** @throws {Refusal} when the package came without a layer */
export function readTemplates(folder: string, layers: readonly LayerName[]): TemplateFile[] {
  return layers.flatMap((layer) => {
    const root = join(folder, layer)
    if (!existsSync(root))
      throw failed(`The templates of "${layer}" are missing in ${folder}. Install create-holdfast again.`)
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = join(entry.parentPath, entry.name)
        return { layer, path: relative(root, file).split(sep).join('/'), text: readFileSync(file, 'utf8') }
      })
  })
}
