import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const repository = fileURLToPath(new URL('../../../', import.meta.url))
const read = (path: string): string => readFileSync(`${repository}${path}`, 'utf8')

test.each([
  ['packages/holdfast/sql/sessions.sql', 'templates/store-postgres/migrations/0002_create_sessions.sql'],
  ['packages/holdfast/sql/api-keys.sql', 'templates/store-postgres/migrations/0003_create_api_keys.sql'],
])('when a service is assembled, its table is the one in %s', (source, copy) => {
  expect(read(copy), `Copy ${source} to ${copy}`).toBe(read(source))
})
