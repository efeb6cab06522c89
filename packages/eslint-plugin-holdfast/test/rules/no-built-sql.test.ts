import { describe } from 'vitest'
import { noBuiltSql } from '../../src/rules/no-built-sql.ts'
import { runRule } from '../run-rule.ts'
import type { Case } from '../run-rule.ts'

const built = /built from strings, so a value may become SQL\. Write it with the `sql` tag/
const of = (says: RegExp, codes: readonly string[]): Case[] => codes.map((code) => ({ code, says: [says] }))
const passes = (codes: readonly string[]): Case[] => codes.map((code) => ({ code }))

const tagged = passes([
  'const q = sql`select id from t where id = ${id}`',
  `import { sql as q } from 'holdfast/postgres'; const x = q\`select id from t where id = \${id}\``,
  'const q = db.sql`select id from t where id = ${id}`',
  'const q = sql`select ${sql.columns(["id"])} from t ${sql.empty}`; await db.query(q)',
  'await db.many(sql`select id from t where id = ${id}`, toItem)',
  'await db.query(isOne ? sql`select ${1}` : sql`select ${2}`)',
  `import { sql } from 'kysely'; const x = sql\`select \${y} from t\``,
  'const sql = postgres(url); const x = sql`select id from t where id = ${id}`',
  'pool.begin((sql) => sql`delete from t where id = ${id}`)',
])

const constant = passes([
  "await pool.query('select id from t where id = $1', [id])",
  'await pool.query(`select id from t where id = $1`, [id])',
  "const text = 'select id ' + 'from t ' + 'where id = $1'; await pool.query(text, [id])",
  "const table = 'products'; const q = `select id from ${table}`",
  "const text = 'select  id from t'.replace(/ +/g, ' ')",
  "const text = ['select id', 'from t'].join(' ')",
  "await pool.query({ text: 'select 1 from t', values: [id] })",
  "sql.raw('now()')",
])

const sentences = passes([
  'log.info(`Select a file ${x}`)',
  'log.info(`Select a file from ${x}`)',
  'log.info(`select a file from ${x}`)',
  'log.info(`select ${x}`)',
  'log.info(`select the first of ${x}, from left to right`)',
  'log.info(`Delete ${n} rows from ${table}?`)',
  'log.info(`deleted from ${table}`)',
  'log.info(`Update ${x} and set ${y}`)',
  'log.info(`update available: ${x}`)',
  'log.info(`Insert coin into ${slot}`)',
  'log.info(`insert ${x}`)',
  'log.info(`Create table ${n} at ${place}`)',
  'log.info(`create user ${name}`)',
  'log.info(`with ${n} more from ${x}`)',
  'log.info(`With love from ${x}`)',
  'log.info(`copy ${a} to ${b}`)',
  'log.info(`set ${name} = ${value}`)',
  'log.info(`truncate ${text}`)',
  'log.info(`drop ${x} here`)',
  'log.info(`alter ego ${x}`)',
  'log.info(`where is ${x}?`)',
  'log.info(`from ${a} to ${b}`)',
  "log.info('limit ' + n)",
  "log.info('values are ' + list.join(', '))",
  'log.info(`selected ${n} from ${table}`)',
  'log.info(`The query select id from t took ${ms} ms`)',
])

const otherCalls = passes([
  'cache.query(`user:${id}`)',
  "page.one('#' + id)",
  'document.query(`.item-${id}`)',
  'bus.execute(`orders/${id}`)',
  'app.use(express.raw({ type }))',
  'String.raw`\\d+${x}`',
  'reply.raw(`<p>${text}</p>`)',
  'query(`select-${id}`)',
  'call.query(`update-${id}`)',
  'call.query(filter)',
  'const sql = (texts) => texts[0]; sql`select 1 from t`',
  'list.join(`, `)',
])

const strings = of(built, [
  'const q = `select id from products where id = ${id}`',
  'const q = `SELECT id FROM products WHERE id = ${id}`',
  'const q = `\n  -- newest\n  select id\n  from products\n  where id = ${id}`',
  'const q = `/* ${user} */ select id from products`',
  'const q = `(select id from ${table})`',
  'const q = `select ${columns} from products`',
  'const q = `select * from ${table}`',
  "const q = `select pg_notify('x', ${text})`",
  'const q = `select ${n}::int`',
  'const q = `insert into products (id) values (${id})`',
  'const q = `insert into ${table} default values`',
  'const q = `update products set name = ${name}`',
  'const q = `update ${table} t set name = $1`',
  'const q = `delete from ${table}`',
  'const q = `delete from products where id = ${id}`',
  'const q = `with found as (select id from products where id = ${id}) select * from found`',
  'const q = `create table ${name} (id int)`',
  'const q = `create unique index on t (${column})`',
  'const q = `CREATE TEMP TABLE ${name} (id int)`',
  'const q = `alter table ${name} add column x int`',
  'const q = `drop table ${name}`',
  'const q = `truncate table ${name}`',
  'const q = `truncate ${name} cascade`',
  "const q = `set local app.principal_id = '${id}'`",
  'const q = `grant select on ${table} to ${role}`',
  'const q = `explain select id from t where id = ${id}`',
  'const q = `values (${id})`',
  'const where = `where name = ${name}`',
  "const and = `and name like '%${name}%'`",
  'const order = `order by ${column} ${direction}`',
  "const join = 'left join ' + table + ' on true'",
  "const q = 'select id from products where id = ' + id",
  "const q = 'select id from products where ' + [a, b].join(' and ')",
  "const q = 'select id from products' + where + ' limit ' + 5",
  "const q = ['select id', 'from ' + table].join(' ')",
  "const q = ['select', columns, 'from products'].join(' ')",
  "const q = 'select id from '.concat(table)",
  "const q = 'select id from :table'.replace(':table', table)",
  "const text = 'select id from :table'; const q = text.replaceAll(':table', table)",
  'const q = String.raw`select id from ${table}`',
  'const q = dedent`select id from ${table}`',
  "let text = 'select id from products'; text += ' where id = ' + id",
  "let text = 'select id from products'; if (only) text += where",
  "let table = 'a'; table = other; const q = `select id from ${table}`",
])

const passed: Case[] = [
  ...of(/^query\(\) gets SQL that is built/, [
    'await pool.query(`select ${x}`)',
    'await pool.query(`Select id from ${table}`)',
    'await pool.query(`listen ${channel}`)',
    "await pool.query('truncate ' + table)",
    'await pool.query(`set statement_timeout = ${ms}`)',
    'await pool.query({ text: `select id from t where id = ${id}`, values: [] })',
    'await pool.query({ name, text: `select ${x}` })',
    'await pool?.query(`select ${x}`)',
    'class A { #pool; find() { return this.#pool.query(`${cte} select id from t`) } }',
  ]),
  ...of(/^execute\(\) gets/, ['await db.execute(`vacuum ${table}`)']),
  ...of(/^maybeOne\(\) gets/, ['await db.maybeOne(`select id from t where id = ${id}`, toItem)']),
  // The text and the call: two places to change.
  { code: 'const text = `select id from t where id = ${id}`; await db.one(text)', says: [built, /^one\(\) gets/] },
  { code: 'await db.run(`select ${x}`)', options: [{ methods: ['run'] }], says: [/^run\(\) gets/] },
]

const raw = of(/sends text as it is, and this one is not written out here/, [
  'await prisma.$queryRawUnsafe(`select ${x}`)',
  'await prisma.$executeRawUnsafe(text)',
  'sql.raw(column)',
  'sql.raw(`"${column}"`)',
  'sql.unsafe(call.query.sort)',
  "knex.raw('lower(' + column + ')')",
  'other.raw(`select id from ${table}`)',
])

const misused: Case[] = [
  ...[
    `sql('select ' + 1)`,
    'sql(texts, 1)',
    'sql.call(null, texts)',
    'sql.apply(null, [texts])',
    'Reflect.apply(sql, null, [texts])',
    'sql(Object.assign([text], { raw: [text] }))',
  ].map((code) => ({ code: `import { sql } from 'holdfast/postgres'; ${code}`, says: [/^sql is a template tag/] })),
  { code: `import { sql as q } from 'holdfast/postgres'; q(text)`, says: [/^sql is a template tag/] },
  ...of(/^This sql is a function of this file/, [
    'const sql = String.raw; const q = sql`select id from t where id = ${id}`',
    'const { raw: sql } = String; const q = sql`select id from t where id = ${id}`',
    'const sql = (texts, ...values) => texts.join(values); const q = sql`select id from t where id = ${id}`',
    'function sql(texts) { return texts[0] } const q = sql`select id from t where id = ${id}`',
    'const sql = Object.assign((texts) => texts[0], {}); const q = sql`select ${x}`',
  ]),
]

const inTypeScript: readonly Case[] = [
  { code: 'const q = sql<Row>`select id from t where id = ${id}`', isTs: true },
  { code: 'const q = `select a file from ${x}` as const', isTs: true },
]
const refusedInTypeScript: readonly Case[] = [
  { code: 'const q = (`select id from t where id = ${id}` as string)', says: [built], isTs: true },
  { code: 'await pool.query<Row>(`select ${x}` satisfies string)', says: [/^query\(\) gets/], isTs: true },
  { code: "const q = 'select id from ' + table!", says: [built], isTs: true },
]

describe('given SQL that is built from strings, and what only looks like it', () => {
  runRule(
    'no-built-sql',
    noBuiltSql,
    [...tagged, ...constant, ...sentences, ...otherCalls, ...inTypeScript],
    [...strings, ...passed, ...raw, ...misused, ...refusedInTypeScript],
  )
})
