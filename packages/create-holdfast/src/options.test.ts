import { describe, expect, test } from 'vitest'
import { parseCommandLine } from './options.ts'

const parse = (...args: string[]) => parseCommandLine(args, '1.2.3')

describe('given a command line', () => {
  test('when it is empty, nothing is decided and an install follows', () => {
    expect(parse()).toEqual({
      flags: {
        directory: undefined,
        edge: undefined,
        store: undefined,
        name: undefined,
        yes: false,
        dryRun: false,
        json: false,
        install: true,
      },
    })
  })

  test('when it says all, all is taken', () => {
    expect(
      parse(...'shop --edge express --store mongodb --name @team/shop -y --no-install --dry-run --json'.split(' ')),
    ).toEqual({
      flags: {
        directory: 'shop',
        edge: 'express',
        store: 'mongodb',
        name: '@team/shop',
        yes: true,
        dryRun: true,
        json: true,
        install: false,
      },
    })
  })

  test.each([['--version'], ['-v']])('when it asks %s, the answer is the version', (flag) => {
    expect(parse(flag)).toEqual({ text: '1.2.3\n' })
  })

  test('when it asks for help, every flag and exit code is in it', () => {
    const { text } = parse('--help') as { text: string }
    for (const word of [
      '--edge',
      '--store',
      'default where nobody is asked: postgres',
      '--name',
      '--yes',
      '--no-install',
      '--dry-run',
      '--json',
      'Exit codes',
    ])
      expect(text).toContain(word)
  })

  test.each([
    [['--edge', 'koa'], /no edge "koa".*fastify or express/],
    [['--edge', 'constructor'], /no edge/],
    [['--store', 'mysql'], /no store "mysql".*postgres or mongodb/],
    [['--edge'], /argument missing/],
    [['--hapi'], /unknown option '--hapi'/i],
    [['one', 'two'], /too many arguments/i],
  ])('when it is %j, it is refused as wrong usage', (args, message) => {
    expect(() => parse(...args)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringMatching(message) }),
    )
  })
})
