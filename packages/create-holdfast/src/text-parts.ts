import type { TemplateFile } from './templates.ts'

/** Settings of all layers: the part of each is a paragraph of its own, in the order of the layers. */
export function mergeEnv(parts: readonly TemplateFile[]): string {
  assertUnique(
    parts.flatMap(({ text }) => [...text.matchAll(/^#? ?([A-Z][A-Z0-9_]*)=/gm)].map((match) => match[1] as string)),
    '.env.example',
  )
  return `${parts.map(({ text }) => text.trim()).join('\n\n')}\n`
}

/**
 * One README.md: what a layer says below a heading follows what the layers before it say there. A heading that is new
 * comes last.
 */
export function mergeReadme(parts: readonly TemplateFile[]): string {
  const sections = new Map<string, string[]>()
  for (const { text } of parts) {
    for (const section of text.split(/^(?=## )/m)) {
      const heading = /^## .*/.exec(section)?.[0] ?? ''
      const words = section.slice(heading.length).trim()
      if (words !== '') sections.set(heading, [...(sections.get(heading) ?? []), words])
    }
  }
  const texts = [...sections].map(([heading, words]) => [heading, ...words].join('\n\n').trim())
  return `${texts.join('\n\n')}\n`
}

/**
 * One compose.yaml of parts that each list whole entries below `services:`, `volumes:` and their kin. Works on lines:
 * an entry is never looked into, so that comments and style survive.
 */
export function mergeCompose(parts: readonly TemplateFile[]): string {
  const sections = new Map<string, string[]>()
  for (const { layer, text } of parts) {
    for (const [heading, entries] of toSections(text, layer)) {
      sections.set(heading, [...(sections.get(heading) ?? []), ...entries])
    }
  }
  return [...sections]
    .map(([heading, entries]) => {
      assertUnique(entries.map(nameOf), `${heading} of compose.yaml`)
      return `${heading}\n${entries.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)).join('')}`
    })
    .join('\n')
}

function toSections(text: string, layer: string): Map<string, string[]> {
  const sections = new Map<string, string[]>()
  let entries: string[] | undefined
  for (const line of text.trimEnd().split('\n')) {
    if (line === '') continue
    if (/^[a-z]+:$/.test(line)) sections.set(line, (entries = []))
    else if (!line.startsWith('  ') || entries === undefined) throw new TypeError(`compose.yaml in ${layer}: "${line}"`)
    else if (/^ {2}\S/.test(line)) entries.push(`${line}\n`)
    else entries.push(`${entries.pop() ?? ''}${line}\n`)
  }
  return sections
}

const nameOf = (entry: string): string => entry.trim().split(':')[0] as string

function assertUnique(names: readonly string[], where: string): void {
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new TypeError(`Two layers bring ${twice} to ${where}`)
}
