import { Linter } from 'eslint'
import { describe, expect, test } from 'vitest'
import holdfast from '../../src/index.ts'
import { sqlInRepositories } from '../../src/rules/sql-in-repositories.ts'
import { runRule } from '../run-rule.ts'
import type { Case } from '../run-rule.ts'

const service = 'src/modules/orders/orders.service.ts'
const importSql = `import { sql } from 'holdfast/postgres'`

const passing: readonly Case[] = [
  ...[
    'src/modules/orders/orders.repository.ts',
    'src/modules/orders/orders.repository.test.ts',
    '/home/ann/shop/src/modules/orders/orders.repository.ts',
    String.raw`C:\shop\src\modules\orders\orders.repository.ts`,
    'src/platform/database.ts',
    'src/platform/outbox/relay.ts',
    'migrations/0001_start.js',
    'test/database.ts',
    'src/modules/orders/orders.test.ts',
  ].flatMap((filename) => [
    { filename, code: importSql },
    { filename, code: `import pg from 'pg'` },
    { filename, code: `import mongoose from 'mongoose'` },
    { filename, code: `import { createKysely } from 'holdfast/kysely'` },
  ]),
  { filename: service, code: `import { createDatabase } from 'holdfast/postgres'` },
  { filename: service, code: `import { ConflictError } from 'holdfast/errors'; import './orders.repository.ts'` },
  { filename: service, code: `import { Mongo } from './mongoose.ts'; import 'pg-format'; import 'postgres-date'` },
  { filename: service, code: `import type { Database, Transactions } from 'holdfast/postgres'`, isTs: true },
  { filename: 'src/queries/orders.ts', code: importSql, options: [{ files: ['queries/**'] }] },
  { filename: service, code: `import 'pg'`, options: [{ modules: { oracledb: true } }] },
]

const refused: readonly Case[] = [
  {
    filename: service,
    code: importSql,
    says: [
      /^`sql` of 'holdfast\/postgres' belongs in a repository\. A service asks its repository, .* Move the query to orders\.repository\.ts\.$/,
    ],
  },
  {
    filename: 'src/modules/orders/orders.controller.ts',
    code: `import { ok } from 'holdfast/http'; import { createDatabase, sql as q } from 'holdfast/postgres'`,
    says: [/A controller hands one call to its service\. Move the query to orders\.repository\.ts/],
  },
  { filename: 'src/modules/orders/orders.routes.ts', code: importSql, says: [/Routes are a table/] },
  { filename: 'src/modules/orders/orders.schema.ts', code: importSql, says: [/A schema says/] },
  { filename: 'src/modules/orders/orders.module.ts', code: importSql, says: [/A module gives its repository/] },
  {
    filename: 'src/app.ts',
    code: importSql,
    says: [/Move the query to a file that ends in \.repository\.ts, or to platform\//],
  },
  { filename: 'src/orders.repository/index.ts', code: importSql, says: [/belongs in a repository/] },
  { filename: 'src/not-platform/a.ts', code: importSql, says: [/belongs in a repository/] },
  { filename: service, code: `import { keyset } from 'holdfast/postgres'`, says: [/^`keyset` of/] },
  { filename: service, code: `import * as postgres from 'holdfast/postgres'`, says: [/^All of 'holdfast\/postgres'/] },
  {
    filename: service,
    code: `const { sql } = await import('holdfast/postgres')`,
    says: [/^All of 'holdfast\/postgres'/],
  },
  { filename: service, code: `export { sql } from 'holdfast/postgres'`, says: [/^`sql` of/] },
  { filename: service, code: `export * from 'holdfast/postgres'`, says: [/^All of/] },
  { filename: service, code: `import pg from 'pg'`, says: [/^'pg' belongs/] },
  { filename: service, code: `const pg = require('pg')`, says: [/^'pg' belongs/] },
  { filename: service, code: `import Client from 'pg/lib/client.js'`, says: [/^'pg\/lib\/client\.js' belongs/] },
  { filename: service, code: `import { sql } from 'kysely'`, says: [/^'kysely' belongs/] },
  { filename: service, code: `import { createKysely } from 'holdfast/kysely'`, says: [/^'holdfast\/kysely' belongs/] },
  { filename: service, code: `import mongoose from 'mongoose'`, says: [/^'mongoose' belongs/] },
  { filename: service, code: `import { ObjectId } from 'mongodb'`, says: [/^'mongodb' belongs/] },
  {
    filename: service,
    code: `import type { SqlQuery } from 'holdfast/postgres'`,
    says: [/^`SqlQuery` of/],
    isTs: true,
  },
  { filename: service, code: `import type { Pool } from 'pg'`, says: [/^'pg' belongs/], isTs: true },
  { filename: service, code: `type P = import('pg').Pool`, says: [/^'pg' belongs/], isTs: true },
  {
    filename: 'src/a.service.ts',
    code: `import 'oracledb'`,
    options: [{ modules: { oracledb: true } }],
    says: [/oracledb/],
  },
]

describe('given files of a service', () => {
  runRule('sql-in-repositories', sqlInRepositories, passing, refused)
})

describe('given the recommended configuration', () => {
  const verify = (filename: string, code: string) =>
    new Linter()
      .verify(code, [{ files: ['**/*.ts'], ...holdfast.configs.recommended }], { filename })
      .map(({ ruleId }) => ruleId)

  test('both rules about SQL are on', () => {
    expect(verify(service, importSql)).toEqual(['holdfast/sql-in-repositories'])
    expect(verify('src/a.repository.ts', 'const q = `select id from ${table}`')).toEqual(['holdfast/no-built-sql'])
    expect(verify('src/a.repository.ts', importSql)).toEqual([])
  })

  test('a misspelt option stops the lint run', () => {
    const withOption = (rule: string, options: object) => () =>
      new Linter().verify('', [{ plugins: { holdfast }, rules: { [rule]: ['error', options] } }])

    expect(withOption('holdfast/sql-in-repositories', { file: [] })).toThrow(/file/)
    expect(withOption('holdfast/no-built-sql', { method: [] })).toThrow(/method/)
  })
})
