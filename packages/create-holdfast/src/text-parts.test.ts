import { describe, expect, test } from 'vitest'
import { mergeCompose, mergeReadme } from './text-parts.ts'

describe('given parts of a README.md', () => {
  const of = (text: string) => ({ layer: 'base', path: 'README.md', text }) as const
  const base = of('# Shop\n\nWhat it is.\n\n## Try it\n\nLike so.\n\n## Run it\n\nHere.\n')

  test('when a layer has words for a heading, they follow those that stand there; a new heading comes last', () => {
    const store = of('How to start.\n\n## Back it up\n\nDaily.\n\n## Try it\n\nOr so.\n\n### In short\n\nTry.\n')
    expect(mergeReadme([base, store])).toBe(
      '# Shop\n\nWhat it is.\n\nHow to start.\n\n## Try it\n\nLike so.\n\nOr so.\n\n### In short\n\nTry.\n\n' +
        '## Run it\n\nHere.\n\n## Back it up\n\nDaily.\n',
    )
  })

  test('when there is one part only, it stays as it is', () => {
    expect(mergeReadme([base])).toBe(base.text)
  })
})

const part = (text: string) => ({ layer: 'base', path: 'compose.yaml', text }) as const

describe('given parts of a compose.yaml', () => {
  const postgres = part('services:\n  postgres:\n    # a comment\n    image: postgres:18\n\nvolumes:\n  postgres:\n')
  const cache = part('services:\n  cache:\n    image: redis:8\n    ports:\n      - "1:1"\n')

  test('when they are merged, entries are sorted and untouched, whichever part came first', () => {
    const merged =
      'services:\n  cache:\n    image: redis:8\n    ports:\n      - "1:1"\n' +
      '  postgres:\n    # a comment\n    image: postgres:18\n\nvolumes:\n  postgres:\n'
    expect(mergeCompose([postgres, cache])).toBe(merged)
    expect(mergeCompose([cache, postgres])).toBe(merged)
  })

  test('when two bring one entry, that is a fault', () => {
    expect(() => mergeCompose([postgres, postgres])).toThrow('Two layers bring postgres')
  })

  test('when a line belongs to no section, that is a fault', () => {
    expect(() => mergeCompose([part('version: 3\n')])).toThrow('version: 3')
  })
})
