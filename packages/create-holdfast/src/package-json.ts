import type { LayerName } from './layers.ts'
import type { TemplateFile } from './templates.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }

/** Where each is looked for first by people who read a package.json; sections not listed follow in alphabetical order. */
const sections = [
  'name',
  'version',
  'description',
  'private',
  'type',
  'engines',
  'scripts',
  'dependencies',
  'devDependencies',
  'optionalDependencies',
]
const sorted = new Set(['dependencies', 'devDependencies', 'optionalDependencies', 'allowScripts'])

/**
 * One package.json of the parts that the layers bring. Lists are joined and sorted, so that the order of layers does
 * not show; what two parts say differently is a fault of the templates.
 */
export function mergePackageJson(parts: readonly TemplateFile[], name: string, library: string): string {
  const merged = new Map<string, Json>()
  for (const part of parts) {
    const object = parse(part)
    for (const [section, value] of Object.entries(object)) {
      merged.set(section, merge(merged.get(section), value, `${section} of package.json in ${part.layer}`))
    }
  }
  merged.set('name', name)
  merged.set('dependencies', merge(merged.get('dependencies'), { holdfast: library }, 'holdfast'))
  const order = [...merged.keys()].toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en'))
  const object = Object.fromEntries(order.map((key) => [key, tidy(key, merged.get(key) as Json)]))
  return `${JSON.stringify(object, null, 2)}\n`
}

const rank = (section: string): number => (sections.includes(section) ? sections.indexOf(section) : sections.length)

function tidy(section: string, value: Json): Json {
  if (!sorted.has(section) || !isObject(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function merge(known: Json | undefined, value: Json, where: string): Json {
  if (known === undefined || JSON.stringify(known) === JSON.stringify(value)) return value
  if (!isObject(known) || !isObject(value)) throw new TypeError(`Two layers disagree about ${where}`)
  const result: Record<string, Json> = { ...known }
  for (const [key, member] of Object.entries(value)) result[key] = merge(result[key], member, `${key} in ${where}`)
  return result
}

function parse({ layer, text }: { readonly layer: LayerName; readonly text: string }): JsonObject {
  const value = JSON.parse(text) as Json
  if (!isObject(value)) throw new TypeError(`package.json in ${layer} is no object`)
  return value
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
