import { describe, expect, test } from 'vitest'
import { createStatementNames } from './statement-names.ts'

describe('given texts composed without end', () => {
  test('when their share is used up, new ones go unnamed and known ones keep their name', () => {
    const names = createStatementNames({ maxComposedNames: 2 })
    const first = names.nameOf('select 1', 'composed')
    names.nameOf('select 2', 'composed')

    expect(first).toBeDefined()
    expect(names.nameOf('select 3', 'composed')).toBeUndefined()
    expect(names.nameOf('select 1', 'composed')).toBe(first)
  })

  test('when their share is used up, templates still get names', () => {
    const names = createStatementNames({ maxNames: 3, maxComposedNames: 1 })
    for (let index = 0; index < 1000; index += 1) names.nameOf(`select ${index}`, 'composed')

    expect(names.nameOf('select a', 'template')).toBeDefined()
    expect(names.nameOf('select b', 'template')).toBeDefined()
    expect(names.nameOf('select c', 'template')).toBeUndefined()
  })

  test('when one is very long, it goes unnamed', () => {
    const names = createStatementNames({ maxComposedLength: 10 })

    expect(names.nameOf('select 12345', 'composed')).toBeUndefined()
    expect(names.nameOf('select 12345', 'template')).toBeDefined()
  })
})
