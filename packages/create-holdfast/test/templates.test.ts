import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { slots } from '../src/layers.ts'
import { repository, run } from './command.ts'

const tsc = join(repository, 'node_modules/typescript/bin/tsc')

describe.each(['fastify-postgres', 'fastify-mongodb', 'express-postgres', 'express-mongodb'])(
  'given the templates of a service on %s',
  (variant) => {
    test('they type-check as they stand, against the built library', async () => {
      const project = join(repository, `templates/tsconfig.${variant}.json`)
      // Several threads would each work out the types of the drivers.
      const { code, stdout } = await run(repository, process.execPath, [tsc, '-p', project, '--singleThreaded'])
      expect(code, stdout).toBe(0)
    }, 60_000)
  },
)

describe('given the slots that both stores fill for services', () => {
  const read = (store: string, path: string) =>
    readFileSync(join(repository, 'templates', `store-${store}`, path), 'utf8')
  const inBoth = slots.filter((path) => /repository\.ts$|outbox\.ts$/.test(path))

  test.each(inBoth)('what %s promises is the same, to the letter', (path) => {
    const [postgres, mongodb] = ['postgres', 'mongodb'].map((store) => promisesIn(read(store, path)))
    expect(postgres).not.toEqual([])
    expect(mongodb).toEqual(postgres)
  })
})

/** Interfaces with all that is said of them. */
const promisesIn = (text: string): string[] =>
  text.match(/(^\/\*\*(?:(?!\*\/)[^])*\*\/\n)?^export interface (?:[^]*?^\}|.*\{\})$/gm) ?? []
