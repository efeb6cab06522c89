import { describe, expect, test } from 'vitest'
import { mergeCompose } from './text-parts.ts'

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
