import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Schema } from '../../foundation/schema.ts'
import { loadConfig, type LoadConfigOptions } from './config.ts'
import { ConfigError } from './config-error.ts'
import { assertRelations } from './relations.ts'

const canary = 'canary-5up3rs3cr3t-value-9f31'

const Settings = z.object({
  PORT: z.coerce.number().int().min(1).max(65_535).default(3000),
  DATABASE_URL: z.string().meta({ description: 'the PostgreSQL to use, postgres://user:password@host/name' }),
  API_KEY: z.string(),
  LOG_LEVEL: z.enum(['info', 'debug']).meta({ description: 'how much to log' }).default('info'),
})
const complete = { DATABASE_URL: 'postgres://localhost/shop', API_KEY: 'k' }

function refusalOf<Output>(schema: Schema<unknown, Output>, options: LoadConfigOptions<Output>): ConfigError {
  try {
    loadConfig(schema, options)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('The settings were accepted')
}

describe('given settings that are all there', () => {
  test('when loaded, they are typed, parsed and only those the schema names', () => {
    const config = loadConfig(Settings, { env: { ...complete, PORT: '8080', HOME: '/root' } })
    const port: number = config.PORT
    expect(port).toBe(8080)
    expect(config).toEqual({ ...complete, PORT: 8080, LOG_LEVEL: 'info' })
  })

  test('when loaded, other variables are not even read', () => {
    const env = new Proxy<Record<string, string>>(complete, {
      getOwnPropertyDescriptor(target, key) {
        if (key === 'OTHER') throw new Error('was read')
        return Reflect.getOwnPropertyDescriptor(target, key)
      },
      get(target, key) {
        if (key === 'OTHER') throw new Error('was read')
        return Reflect.get(target, key)
      },
      ownKeys() {
        throw new Error('was listed')
      },
    })
    expect(loadConfig(Settings, { env }).API_KEY).toBe('k')
  })

  test('when loaded, nothing in them can be changed, however deep', () => {
    const Nested = z.object({ ORIGINS: z.string().transform((text) => ({ list: text.split(','), at: { depth: 1 } })) })
    const config = loadConfig(Nested, { env: { ORIGINS: 'a,b' } })
    // @ts-expect-error -- the settings are readonly
    expect(() => (config.ORIGINS = { list: [], at: { depth: 2 } })).toThrow(TypeError)
    expect(() => config.ORIGINS.list.push('c')).toThrow(TypeError)
    expect(() => (config.ORIGINS.at.depth = 2)).toThrow(TypeError)
  })

  test('when a value is a class of its own, it is left to work', () => {
    const config = loadConfig(z.object({ KEY: z.string().transform((text) => new Uint8Array(Buffer.from(text))) }), {
      env: { KEY: 'abc' },
    })
    expect(config.KEY).toHaveLength(3)
  })

  test('when the schema is refined or piped, its settings are still found', () => {
    const refined = Settings.refine((settings) => settings.PORT !== 22, { path: ['PORT'], message: 'not the SSH port' })
    expect(loadConfig(refined, { env: complete }).PORT).toBe(3000)
    expect(
      loadConfig(
        refined.transform((all) => ({ port: all.PORT })),
        { env: complete },
      ),
    ).toEqual({ port: 3000 })
    expect(refusalOf(refined, { env: { ...complete, PORT: '22' } }).problems).toEqual([
      'PORT is wrong: not the SSH port',
    ])
  })
})

describe('given settings with faults', () => {
  test('when loaded, all problems are listed at once, with what to do', () => {
    const error = refusalOf(Settings, { env: { PORT: 'eighty', LOG_LEVEL: 'loud' } })
    expect(error.problems).toEqual([
      'PORT is wrong: Invalid input: expected number, received NaN',
      'DATABASE_URL is missing: the PostgreSQL to use, postgres://user:password@host/name',
      'API_KEY is missing: set it, or name a file that holds it in API_KEY_FILE',
      'LOG_LEVEL is wrong: Invalid option: expected one of "info"|"debug" (how much to log)',
    ])
    expect(error.message).toContain('4 settings are wrong:\n  - PORT')
    expect(error.exitCode).toBe(78)
  })

  test('when a value is empty, it counts as missing', () => {
    expect(refusalOf(Settings, { env: { ...complete, API_KEY: '' } }).message).toContain('API_KEY is missing')
    expect(loadConfig(Settings, { env: { ...complete, PORT: '' } }).PORT).toBe(3000)
  })

  test('when names come from the prototype, they are missing', () => {
    const Odd = z.object({ constructor: z.string(), toString: z.string() })
    expect(refusalOf(Odd, { env: {} }).problems).toHaveLength(2)
  })

  test('when a rule ties two of them, its reason is shown for the missing one', () => {
    const Tied = z.object({ A: z.string().optional(), B: z.string() }).superRefine((all, context) => {
      if (!all.A) context.addIssue({ code: 'custom', path: ['A'], message: 'needed together with B' })
    })
    expect(refusalOf(Tied, { env: { B: 'x' } }).problems).toEqual(['A is missing: needed together with B'])
  })

  test.each<[string, z.ZodType]>([
    ['a rule that quotes it', z.string().refine(() => false, { error: (issue) => `bad: ${String(issue.input)}!` })],
    [
      'a rule that quotes it in capitals',
      z.string().refine(() => false, { error: (issue) => String(issue.input).toUpperCase() }),
    ],
    ['an enum', z.enum(['a'])],
    ['a number', z.coerce.number()],
    ['a pattern', z.string().regex(/^x$/)],
    ['a literal', z.literal('x')],
    ['a URL', z.url()],
    [
      'JSON',
      z.string().transform((text, context) => {
        try {
          return JSON.parse(text)
        } catch (error) {
          context.addIssue(String(error))
          return z.NEVER
        }
      }),
    ],
    ['a union', z.union([z.literal('a'), z.coerce.number()])],
  ])('when %s refuses a value, nothing of the error shows it', (_name, field) => {
    for (const env of [{ KEY: canary }, { KEY_FILE: '/run/secrets/key' }]) {
      const error = refusalOf(z.object({ KEY: field, PORT: z.coerce.number() }), { env, readFile: () => canary })
      const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + error.stack
      expect(shown.toLowerCase()).not.toContain(canary)
    }
  })

  test('when a message names a limit that a short value happens to equal, the limit stays', () => {
    const Limits = z.object({ POOL: z.coerce.number().gt(32), KEY: z.string().min(32) })
    const error = refusalOf(Limits, { env: { POOL: '32', KEY: 'abcdef' } })
    expect(error.message).toContain('expected number to be >32')
    expect(error.message).toContain('>=32 characters')
  })

  test.each<[string, z.ZodType]>([
    ['waits', z.string().refine(async () => true)],
    [
      'throws an error that quotes',
      z.string().transform((value) => {
        throw new Error(value)
      }),
    ],
    [
      'throws an object that quotes',
      z.string().transform((value) => {
        // oxlint-disable-next-line typescript/only-throw-error -- libraries throw anything
        throw { value }
      }),
    ],
  ])('when a rule %s, the schema is refused and the value not shown', (_name, field) => {
    let thrown: unknown
    try {
      loadConfig(z.object({ KEY: field }), { env: { KEY: canary } })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(TypeError)
    expect(inspect(thrown, { depth: 9, showHidden: true })).not.toContain(canary)
  })

  test('when the schema does not list its settings, they are asked for', () => {
    const bare: Schema<unknown, { A: string }> = {
      '~standard': { version: 1, vendor: 'mine', validate: (value) => ({ value: value as { A: string } }) },
    }
    expect(() => loadConfig(bare, { env: {} })).toThrow(TypeError)
    expect(loadConfig(bare, { env: { A: 'x', B: 'y' }, names: ['A'] })).toEqual({ A: 'x' })
  })
})

describe('given a secret in a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-config-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const fileWith = (name: string, content: string | Buffer): string => {
    const path = join(directory, name)
    writeFileSync(path, content)
    return path
  }
  const Keyed = z.object({ KEY: z.string().min(2) })

  test.each([
    ['no newline', 'text', 'text'],
    ['one newline', 'text\n', 'text'],
    ['a Windows newline', 'text\r\n', 'text'],
    ['two newlines', 'text\n\n', 'text\n'],
    ['spaces', ' text ', ' text '],
  ])('when it ends with %s, at most one newline is dropped', (name, content, expected) => {
    expect(loadConfig(Keyed, { env: { KEY_FILE: fileWith(name, content) } }).KEY).toBe(expected)
  })

  test('when name and file are both set, it is an error', () => {
    const error = refusalOf(Keyed, { env: { KEY: canary, KEY_FILE: fileWith('both', 'text') } })
    expect(error.problems).toEqual(['KEY and KEY_FILE are both set: keep one of them'])
  })

  test('when the name is empty and the file is set, the file counts', () => {
    expect(loadConfig(Keyed, { env: { KEY: '', KEY_FILE: fileWith('empty name', 'text') } }).KEY).toBe('text')
  })

  test('when the file is not there, the error names variable and path', () => {
    const path = join(directory, 'absent')
    const error = refusalOf(Keyed, { env: { KEY_FILE: path } })
    expect(error.problems).toEqual([`KEY_FILE names a file that cannot be read: ${path} (ENOENT)`])
  })

  test.each<[string, string | Buffer, string]>([
    ['empty', '\n', 'an empty file'],
    ['too large', 'x'.repeat(65 * 1024), 'larger than 64 KiB'],
    ['no text', Buffer.from([0xff, 0xfe, 0x41]), 'not UTF-8 text'],
  ])('when the file is %s, the error says so and does not show it', (name, content, reason) => {
    const error = refusalOf(Keyed, { env: { KEY_FILE: fileWith(name, content) } })
    expect(error.problems).toHaveLength(1)
    expect(error.message).toContain(reason)
  })

  test.each([
    ['a directory', tmpdir()],
    ['endless', '/dev/zero'],
    ['a path with NUL', 'a\0b'],
  ])('when the path is %s, the start fails and does not hang', (_name, path) => {
    expect(refusalOf(Keyed, { env: { KEY_FILE: path } }).problems).toHaveLength(1)
  })

  test('when the value from the file is wrong, the error says where it came from', () => {
    const error = refusalOf(Keyed, { env: { KEY_FILE: fileWith('short', 'x') } })
    expect(error.message).toContain('KEY, read from KEY_FILE, is wrong')
  })

  test.each<[string, unknown]>([
    ['null', null],
    ['a canary', canary],
    [
      'a throwing getter',
      {
        get code() {
          throw new Error(canary)
        },
      },
    ],
    [
      'a revoked proxy',
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      })(),
    ],
    ['an error that quotes', Object.assign(new Error(canary), { code: { canary } })],
  ])('when the reader throws %s, it is a plain problem', (_name, thrown) => {
    const error = refusalOf(Keyed, {
      env: { KEY_FILE: '/x' },
      readFile: () => {
        throw thrown
      },
    })
    expect(error.message).toContain('KEY_FILE names a file that cannot be read: /x')
    expect(inspect(error, { depth: 9 })).not.toContain(canary)
  })

  test('when the schema itself names NAME_FILE, it is a setting like any other', () => {
    const Both = z.object({ CERT: z.string().optional(), CERT_FILE: z.string() })
    expect(loadConfig(Both, { env: { CERT_FILE: '/etc/cert' } })).toEqual({ CERT_FILE: '/etc/cert' })
  })
})

describe('given rules between settings', () => {
  const Numbers = z.object({ POOL: z.coerce.number(), INSTANCES: z.coerce.number(), DRAIN_MS: z.coerce.number() })
  const relations = (settings: z.output<typeof Numbers>) => [
    {
      holds: settings.POOL * settings.INSTANCES <= 100,
      message: `POOL × INSTANCES is ${settings.POOL * settings.INSTANCES}, the database takes 100`,
    },
    { holds: settings.DRAIN_MS < 30_000, message: 'DRAIN_MS has to stay under 30 000' },
  ]

  test('when all hold, the settings load', () => {
    expect(loadConfig(Numbers, { env: { POOL: '10', INSTANCES: '10', DRAIN_MS: '5' }, relations }).POOL).toBe(10)
  })

  test('when several are broken, all are reported', () => {
    const error = refusalOf(Numbers, { env: { POOL: '20', INSTANCES: '10', DRAIN_MS: '60000' }, relations })
    expect(error.problems).toEqual([
      'POOL × INSTANCES is 200, the database takes 100',
      'DRAIN_MS has to stay under 30 000',
    ])
  })

  test('when a setting is wrong by itself, the rules wait', () => {
    const error = refusalOf(Numbers, { env: { POOL: 'x', INSTANCES: '10', DRAIN_MS: '60000' }, relations })
    expect(error.problems).toHaveLength(1)
  })

  test('when a rule gives NaN instead of a truth, it counts as broken', () => {
    expect(() => assertRelations([{ holds: undefined as unknown as boolean, message: 'no' }])).toThrow(ConfigError)
  })
})
