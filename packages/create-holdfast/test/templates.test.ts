import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repository, run } from './command.ts'

const tsc = join(repository, 'node_modules/typescript/bin/tsc')

describe.each(['fastify', 'express'])('given the templates of a service on %s', (edge) => {
  test('they type-check as they stand, against the built library', async () => {
    const project = join(repository, `templates/tsconfig.${edge}.json`)
    const { code, stdout } = await run(repository, process.execPath, [tsc, '-p', project])
    expect(code, stdout).toBe(0)
  })
})
