import type { Choices } from './choices.ts'
import { type LayerName, slots } from './layers.ts'
import { mergePackageJson } from './package-json.ts'
import type { TemplateFile } from './templates.ts'
import { mergeCompose, mergeEnv, mergeReadme } from './text-parts.ts'

/** How the service gets the library. */
export type Library =
  | { readonly kind: 'published'; readonly version: string }
  /** Packed from the folder of its sources, for services made before there is a release of it. */
  | { readonly kind: 'packed'; readonly version: string; readonly folder: string }

export type PlannedFile =
  | { readonly path: string; readonly layers: readonly LayerName[]; readonly text: string }
  /** The tarball of the package whose sources lie in `packFrom`. */
  | { readonly path: string; readonly layers: readonly LayerName[]; readonly packFrom: string }

/**
 * What a service consists of. Pure: the same choices, templates and library give the same files.
 *
 * @throws {TypeError} for templates that do not fit together: a fault in them, not in the choices
 */
export function planFiles(
  choices: Pick<Choices, 'name'>,
  templates: readonly TemplateFile[],
  library: Library,
): PlannedFile[] {
  const tarball = `vendor/holdfast-${library.version}.tgz`
  const isPacked = library.kind === 'packed'
  const words = {
    __SERVICE_NAME__: choices.name.replace(/^@.*\//, ''),
    '__COPY_VENDOR__\n': isPacked ? 'COPY vendor ./vendor\n' : '',
  }
  // What layers say of one file stands in the order of their names, whichever was read first.
  const inOrder = templates.toSorted((a, b) => a.layer.localeCompare(b.layer, 'en'))
  const byPath = Map.groupBy(inOrder, ({ path }) => renamed[path] ?? path)
  assertSlots(byPath)

  const files = [...byPath].map(([path, parts]): PlannedFile => {
    const text =
      path === 'package.json'
        ? mergePackageJson(parts, choices.name, isPacked ? `file:${tarball}` : library.version)
        : fill(joinParts(path, parts), words)
    assertFilled(path, text)
    return { path, layers: parts.map(({ layer }) => layer), text }
  })
  if (isPacked) files.push({ path: tarball, layers: [], packFrom: library.folder })
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

const renamed: Readonly<Record<string, string>> = {
  // npm leaves files of the new name out of every package it packs, and obeys them while packing.
  gitignore: '.gitignore',
  // Among the templates the new name would hide the settings that see all layers at once.
  'tsconfig.service.json': 'tsconfig.json',
}

function joinParts(path: string, parts: readonly TemplateFile[]): string {
  if (path === 'compose.yaml') return mergeCompose(parts)
  if (path === '.env.example') return mergeEnv(parts)
  if (path === 'README.md') return mergeReadme(parts)
  if (parts.length > 1) throw new TypeError(`${parts.map(({ layer }) => layer).join(' and ')} both bring ${path}`)
  return (parts[0] as TemplateFile).text
}

function assertSlots(byPath: ReadonlyMap<string, readonly TemplateFile[]>): void {
  const open = slots.find((slot) => !byPath.has(slot))
  if (open !== undefined) throw new TypeError(`No layer fills the slot ${open}`)
}

/** Literal words and nothing else, so that a template reads as what it becomes. */
function fill(text: string, words: Readonly<Record<string, string>>): string {
  return Object.entries(words).reduce((filled, [word, value]) => filled.replaceAll(word, () => value), text)
}

function assertFilled(path: string, text: string): void {
  const word = /__[A-Z][A-Z_]*__/.exec(text)?.[0]
  if (word !== undefined) throw new TypeError(`${path} holds ${word}, which nothing fills`)
}
