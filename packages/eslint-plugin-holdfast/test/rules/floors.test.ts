import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { Linter, RuleTester } from 'eslint'
import { RuleTester as OxlintRuleTester } from 'oxlint/plugins-dev'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import holdfast from '../../src/index.ts'
import { floors } from '../../src/rules/floors.ts'

const repository = resolve(import.meta.dirname, '../../../..')
const at = (path: string) => `/anywhere/packages/holdfast/src/${path}`

// What both ESLint and oxlint can parse.
const allowedJs: readonly [path: string, code: string][] = [
  ['foundation/errors.ts', `import './clock.ts'; import 'node:util'; import { join } from 'path'`],
  ['core/http/pipeline.ts', `import '../auth/access.ts'; export * from '../../foundation/errors.ts'`],
  ['core/auth/tokens.ts', `import './access.ts'; import '../../foundation/clock.ts'`],
  ['adapters/postgres/pool.ts', `import pg from 'pg'; import './sql.ts'; import '../../core/lifecycle/lifecycle.ts'`],
  ['adapters/postgres/migrate.ts', 'const m = await import(`node-pg-migrate`); await import(chosen)'],
  ['adapters/argon2/hash.ts', `import '@node-rs/argon2'`],
  ['edges/express/router.ts', `import '../node/body.ts'; import '../../core/http/route.ts'; import 'express'`],
  ['edges/fastify/plugin.ts', `import '../../adapters/pino/log.ts'; require('fastify')`],
  ['testing/start-server.ts', `import '../edges/express/router.ts'; import '../foundation/clock.ts'`],
  ['entry/http.ts', `export { route } from '../core/http/route.ts'`],
  ['core/auth/tokens.test.ts', `import '../http/pipeline.ts'; import '../../edges/express/router.ts'; import 'pg'`],
  ['core/http/object.ts', `const o = { require(x) {} }; o.require('pg'); requires('pg')`],
]

// Path, code, and what the message has to say.
const refusedJs: readonly [path: string, code: string, message: string | RegExp][] = [
  [
    'core/http/pipeline.ts',
    `import '../../edges/express/router.ts'`,
    'core/http (floor 1, core) imports edges/express (floor 3, edges). Imports point down. Move what you need to floor 0 (foundation), or declare a port in core/http and fill it from edges/express.',
  ],
  [
    'foundation/errors.ts',
    `export { route } from '../core/http/route.ts'`,
    /^foundation \(floor 0.*core\/http \(floor 1/,
  ],
  [
    'adapters/pino/log.ts',
    `await import('../../edges/node/body.ts')`,
    /adapters\/pino \(floor 2.*edges\/node \(floor 3/,
  ],
  ['edges/express/router.ts', `export * from '../../testing/clock.ts'`, /Imports point down/],
  [
    'core/auth/tokens.ts',
    `import '../cache/cache.ts'`,
    'core/auth (floor 1, core) imports core/cache (floor 1, core). Folders of core are islands; only core/http knows its siblings. Move what both need to floor 0 (foundation), or compose the two in core/http.',
  ],
  ['core/auth/tokens.ts', `import '../http/route.ts'`, /islands/],
  ['core/auth/tokens.ts', `import '../http'`, /islands/],
  ['adapters/redis/store.ts', `import '../postgres/pool.ts'`, /Folders of adapters are islands\. Move what both need/],
  [
    'edges/express/router.ts',
    `import '../fastify/plugin.ts'`,
    /only edges\/node is shared\. Move what both need to edges\/node/,
  ],
  ['edges/node/body.ts', `import '../express/router.ts'`, /islands/],
  ['testing/clock.ts', `import '../entry/http.ts'`, /Nobody imports entry/],
  ['entry/http.ts', `export * from './auth.ts'`, /Nobody imports entry/],
  ['core/http/pipeline.ts', `import 'zod'`, /fill it from adapters\/zod \(floor 2, adapters\)\.$/],
  ['core/http/pipeline.ts', `import 'lodash/get.js'`, /names the package 'lodash'.*a folder above/],
  ['core/config/config.ts', 'require(`pg`)', /names the package 'pg'/],
  ['core/config/config.ts', `require.resolve('pg/lib/x')`, /names the package 'pg'/],
  ['core/config/config.ts', `await import(name)`, /name is computed/],
  ['core/config/config.ts', 'await import(`./${name}.ts`)', /name is computed/],
  ['adapters/redis/store.ts', `import 'pg'`, /which only adapters\/postgres \(floor 2, adapters\) may name/],
  ['edges/node/body.ts', `import 'express'`, /which only edges\/express \(floor 3, edges\) may name/],
  [
    'adapters/redis/store.ts',
    `import '@scope/unknown/deep'`,
    /names the package '@scope\/unknown', which has no home yet/,
  ],
  ['adapters/redis/store.ts', `import 'constructor'`, /no home yet/],
  ['core/auth/tokens.ts', `import 'holdfast/http'`, /alias/],
  ['core/auth/tokens.ts', `import '#http'`, /alias/],
  ['core/http/route.ts', `import '../../../../create-holdfast/src/plan.ts'`, /outside packages\/holdfast\/src/],
  ['core/http/route.ts', `import '/anywhere/packages/holdfast/src/edges/node/body.ts'`, /Imports point down/],
  ['core/http/route.ts', `import './route.test.ts'`, /imports the test/],
  ['core/http/route.ts', `import '../../utils/strings.ts'`, /stands on no floor/],
  [
    'utils/strings.ts',
    `export const x = 1`,
    /utils\/strings\.ts stands on no floor.*Move it to foundation \(floor 0\)/,
  ],
  ['core/loose.ts', `export const x = 1`, /stands on no floor/],
]

// What only a parser of TypeScript reads.
const allowedTs: typeof allowedJs = [
  [
    'adapters/postgres/pool.ts',
    `import type { Pool } from 'pg'; type P = import('pg').Pool; import pg = require('pg')`,
  ],
  ['edges/express/router.ts', `declare module 'express-serve-static-core' {}`],
  ['core/http/route.ts', `declare global {}; namespace Local {}; import Alias = Local`],
]
const refusedTs: typeof refusedJs = [
  ['core/http/pipeline.ts', `import type { Router } from '../../edges/express/router.ts'`, /Imports point down/],
  ['core/http/pipeline.ts', `import { type Pool } from 'pg'`, /names the package 'pg'/],
  ['core/http/pipeline.ts', `export type { Pool } from 'pg'`, /names the package 'pg'/],
  ['core/http/pipeline.ts', `type P = import('pg').Pool`, /names the package 'pg'/],
  ['core/http/pipeline.ts', `let r: typeof import('../../edges/express/router.ts')`, /Imports point down/],
  ['core/http/pipeline.ts', `import express = require('express')`, /names the package 'express'/],
  ['core/http/pipeline.ts', `declare module 'fastify' {}`, /names the package 'fastify'/],
  ['core/http/pipeline.ts', `import type { Request } from '@types/express'`, /names the package 'express'/],
]

const valid = (cases: typeof allowedJs) => cases.map(([path, code]) => ({ filename: at(path), code }))
const invalid = (cases: typeof refusedJs) =>
  cases.map(([path, code, message]) => ({ filename: at(path), code, errors: [{ message }] }))

RuleTester.describe = describe
RuleTester.it = it
RuleTester.itOnly = it.only
OxlintRuleTester.describe = describe
OxlintRuleTester.it = it
OxlintRuleTester.itOnly = it.only

describe('given the holdfast package, read by ESLint', () => {
  const sources = { files: ['**/*.ts'], languageOptions: { globals: { require: 'readonly' as const } } }
  new RuleTester(sources).run('floors', floors, { valid: valid(allowedJs), invalid: invalid(refusedJs) })
})

describe('given the holdfast package, read by oxlint', () => {
  new OxlintRuleTester().run('floors', floors as never, {
    valid: valid([...allowedJs, ...allowedTs]),
    invalid: invalid([...refusedJs, ...refusedTs]),
  })
})

describe('given a house of your own', () => {
  const options = {
    root: 'src',
    packageName: 'shop',
    floors: [
      { name: 'platform', folders: ['platform'] },
      { name: 'modules', folders: ['modules/*'] },
    ],
    packages: { pg: 'platform' },
  }
  const lint = (path: string, code: string) =>
    new Linter().verify(
      code,
      [{ files: ['**/*.ts'], plugins: { holdfast }, rules: { 'holdfast/floors': ['error', options] } }],
      { filename: path },
    )

  test('its own floors hold', () => {
    expect(lint('src/platform/database.ts', `import '../modules/orders/index.ts'`)[0]?.message).toBe(
      'platform (floor 0, platform) imports modules/orders (floor 1, modules). Imports point down. Move what you need to floor 0 (platform), or declare a port in platform and fill it from modules/orders.',
    )
    expect(lint('src/platform/database.ts', `import 'pg'`)).toEqual([])
    expect(lint('src/modules/orders/index.ts', `import 'pg'`)[0]?.message).toContain(
      'only platform (floor 0, platform)',
    )
  })

  test('a misspelt option stops the lint run', () => {
    const misspelt = { ...options, flors: [] }
    expect(() =>
      new Linter().verify('', [{ plugins: { holdfast }, rules: { 'holdfast/floors': ['error', misspelt] } }]),
    ).toThrow(/flors/)
  })

  test('`configs.recommended` turns the rule on and is silent outside the house', () => {
    const recommended = [{ files: ['**/*.ts'], ...holdfast.configs.recommended }]
    const planted = `import '../../edges/express/router.ts'`
    const verify = (filename: string) => new Linter().verify(planted, recommended, { filename })
    expect(verify('packages/holdfast/src/core/http/a.ts')).toHaveLength(1)
    expect(verify('services/shop/src/core/http/a.ts')).toEqual([])
  })
})

// The whole way a person meets these checks: the oxlint program and this repository's own configuration.
describe("given a copy of the repository's lint configuration and planted faults", () => {
  let copy: string
  const oxlint = (...args: string[]) => {
    const bin = join(repository, 'node_modules/oxlint/bin/oxlint')
    const { stdout, stderr, status } = spawnSync(process.execPath, [bin, '--format=unix', ...args], {
      cwd: copy,
      encoding: 'utf8',
    })
    return { output: stdout + stderr, status }
  }
  const plant = (path: string, code: string) => {
    const file = join(copy, 'packages/holdfast/src', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, code)
    return file
  }

  beforeAll(() => {
    copy = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-lint-')))
    execFileSync('cp', [join(repository, '.oxlintrc.json'), join(repository, 'tsconfig.base.json'), copy])
    for (const linked of ['node_modules', 'packages/eslint-plugin-holdfast']) {
      mkdirSync(dirname(join(copy, linked)), { recursive: true })
      symlinkSync(join(repository, linked), join(copy, linked))
    }
    mkdirSync(join(copy, 'packages/holdfast'), { recursive: true })
    execFileSync('cp', [join(repository, 'packages/holdfast/tsconfig.json'), join(copy, 'packages/holdfast')])
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  test('clean files pass', () => {
    plant('foundation/clock.ts', 'export const now = (): number => Date.now()\n')
    plant('core/http/pipeline.ts', `export { now } from '../../foundation/clock.ts'\n`)
    expect(oxlint('packages/holdfast/src')).toEqual({ output: '', status: 0 })
  })

  test('an import that points up is refused', () => {
    plant('edges/express/router.ts', 'export interface Router { readonly name: string }\n')
    const fault = plant(
      'core/http/up.ts',
      `import type { Router } from '../../edges/express/router.ts'\nexport type Up = Router\n`,
    )
    const { output, status } = oxlint('packages/holdfast/src')
    rmSync(fault)
    expect(output).toContain('core/http (floor 1, core) imports edges/express (floor 3, edges). Imports point down.')
    expect(status).toBe(1)
  })

  test('a cycle of two files is refused', () => {
    const faults = [
      plant('core/http/egg.ts', `import { hen } from './hen.ts'\nexport const egg = (): number => hen()\n`),
      plant('core/http/hen.ts', `import { egg } from './egg.ts'\nexport const hen = (): number => egg()\n`),
    ]
    const { output, status } = oxlint('packages/holdfast/src')
    for (const fault of faults) rmSync(fault)
    expect(output).toMatch(/no-cycle/)
    expect(status).toBe(1)
  })

  test('a floating promise is refused', () => {
    const fault = plant(
      'core/http/float.ts',
      `const work = async (): Promise<void> => {}\nexport const start = (): void => {\n  work()\n}\n`,
    )
    const { output, status } = oxlint('packages/holdfast/src')
    rmSync(fault)
    expect(output).toMatch(/no-floating-promises/)
    expect(status).toBe(1)
  })
})
