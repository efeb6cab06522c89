import { createDatabase } from '../adapters/postgres/database.ts'
import { sql } from '../adapters/postgres/sql.ts'
import type { SqlQuery } from '../adapters/postgres/sql.ts'
import { createDatabaseTemplate } from './database-template.ts'

// A test file of its own process: makes the template or finds it, takes a copy, says its name and stays.
const [adminUrl = '', directory = ''] = process.argv.slice(2)

async function ask(url: string, ...queries: readonly SqlQuery[]): Promise<void> {
  const database = createDatabase({ url })
  for (const query of queries) await database.query(query)
  await database.close()
}

const template = await createDatabaseTemplate({
  adminUrl,
  directory,
  async prepare(url) {
    await ask(adminUrl, sql`insert into prepared default values`)
    await ask(url, sql`create table notes as select 1 as id`, sql`select pg_sleep(0.3)`)
  },
})
const { name, url } = await template.clone()
await ask(url, sql`insert into notes values (2)`)
process.stdout.write(`${template.name} ${name}\n`)
setInterval(() => {}, 1000)
