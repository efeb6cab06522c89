import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { toPage } from './page.ts'
import { rows, unclaimed } from './rows.ts'

const page = new URL('../../../../docs/defence-in-depth.md', import.meta.url)
const rewrite = 'HOLDFAST_WRITE_DOCS=1 npx vitest run packages/holdfast/test/guards/page.test.ts'

describe('given the page on defence in depth', () => {
  if (process.env['HOLDFAST_WRITE_DOCS'] === '1') writeFileSync(page, toPage(rows, unclaimed))

  test('when the suite changes, the page says the same', () => {
    expect(readFileSync(page, 'utf8'), `write it anew: ${rewrite}`).toBe(toPage(rows, unclaimed))
  })

  test('when a line is added, no other has the same attack on the same guard', () => {
    const lines = rows.map(({ guard, how, attack }) => `${guard} ${how} ${attack}`)
    expect(lines.filter((line, at) => lines.indexOf(line) !== at)).toEqual([])
  })
})
