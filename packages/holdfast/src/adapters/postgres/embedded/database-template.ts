import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import type pg from 'pg'
import { wholeNumber } from '../../../foundation/whole-number.ts'
import { administering, codeOf, readAdminUrl, urlOfDatabase, whenFree } from './admin-connection.ts'
import { sweepLeftOvers, useComment } from './left-overs.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'
import { newTestName, sha256, templateName } from './test-names.ts'

export interface DatabaseTemplateOptions {
  /** A database on the server, as a user who may create databases. Nothing in it is touched. */
  readonly adminUrl: string
  /**
   * Makes an empty database what each test file begins with, such as by `migrate`. Closes its connections before it
   * resolves. Of what belongs to the database as a whole, copies lack rights on it and `alter database … set`.
   */
  readonly prepare: (url: string) => Promise<unknown>
  /** Folder of what `prepare` makes it from, as a rule the migrations; a change in there makes another template. */
  readonly directory?: string
  /** What else it depends on, such as `with demo data`. This or `directory` is needed. Default: nothing */
  readonly key?: string
  /** How long to wait for another process that prepares the same, milliseconds, 1 to 3 600 000. Default 120 000 */
  readonly waitTimeoutMs?: number
}

/** A prepared database that is copied for each test file. */
export interface DatabaseTemplate {
  readonly name: string
  /** A copy of its own for one test file, in some 50 ms. Makes the template anew where it was dropped meanwhile. */
  clone(): Promise<TestDatabase>
  /**
   * Drops the copies that were made here and are still there, and whoever is connected to them. The template stays for
   * other processes and for the next run.
   */
  dropClones(): Promise<void>
  /** The same, and drops the template too. A process that still wants it makes it anew. */
  drop(): Promise<void>
}

/** See `createDatabaseTemplate` of `holdfast/testing`. */
export async function createDatabaseTemplate(options: DatabaseTemplateOptions): Promise<DatabaseTemplate> {
  const plan = await readPlan(options)
  await administering(
    plan.adminUrl,
    async (admin) => {
      await provide(admin, plan)
      await admin.query(`comment on database ${plan.name} is '${useComment(Date.now())}'`).catch(() => {})
      await sweepLeftOvers(admin, plan.family, plan.name, Date.now())
    },
    plan.waitTimeoutMs + 60_000,
  )

  const clones = new Set<TestDatabase>()
  const dropClones = async (): Promise<void> => {
    await Promise.all([...clones].map((clone) => clone.drop()))
  }
  return {
    name: plan.name,
    async clone() {
      const made = await copy(plan)
      const clone: TestDatabase = {
        ...made,
        drop() {
          clones.delete(clone)
          return made.drop()
        },
      }
      clones.add(clone)
      return clone
    },
    dropClones,
    async drop() {
      await dropClones()
      await administering(plan.adminUrl, (admin) => admin.query(`drop database if exists ${plan.name}`))
    },
  }
}

interface Plan {
  readonly adminUrl: string
  readonly prepare: DatabaseTemplateOptions['prepare']
  readonly directory: string | undefined
  readonly waitTimeoutMs: number
  readonly name: string
  readonly family: string
  readonly content: string
}

async function readPlan(options: DatabaseTemplateOptions): Promise<Plan> {
  const { adminUrl, prepare, key } = options
  const directory = options.directory === undefined ? undefined : resolve(options.directory)
  if (typeof prepare !== 'function') throw new TypeError(`prepare is a function; received ${typeof prepare}`)
  if (directory === undefined && (key === undefined || key === '')) {
    throw new TypeError('A template needs a directory or a key, or nobody could tell it from another one')
  }
  const content = await digestOf(directory)
  // Who asks as well: only its owner may copy a database.
  const family = sha256(JSON.stringify([directory, key, readAdminUrl(adminUrl).username])).slice(0, 16)
  return {
    adminUrl,
    prepare,
    directory,
    waitTimeoutMs: wholeNumber('waitTimeoutMs', options.waitTimeoutMs ?? 120_000, 1, 3_600_000),
    name: templateName(family, content),
    family,
    content,
  }
}

/** A hash of all files in a folder, their names and what is in them. */
async function digestOf(directory: string | undefined): Promise<string> {
  if (directory === undefined) return sha256('')
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
  const files = paths
    .toSorted()
    .map(async (path) => [relative(directory, path), sha256(await readFile(path, 'latin1'))])
  return sha256(JSON.stringify(await Promise.all(files)))
}

/** Makes the template if it is not there. */
async function provide(admin: pg.Client, plan: Plan): Promise<void> {
  if (await exists(admin, plan.name)) return
  // One prepares, the others wait; whoever comes next finds it there. A name decides even where the lock cannot: it is
  // of one database, and others may ask by another one.
  await admin.query(`set lock_timeout = ${plan.waitTimeoutMs}`)
  await admin.query('select pg_advisory_lock(hashtextextended($1, 0))', [plan.name])
  try {
    if (!(await exists(admin, plan.name))) await make(admin, plan)
  } finally {
    await admin.query('select pg_advisory_unlock(hashtextextended($1, 0))', [plan.name]).catch(() => {})
  }
}

async function exists(admin: pg.Client, name: string): Promise<boolean> {
  const { rows } = await admin.query('select from pg_database where datname = $1', [name])
  return rows.length > 0
}

/** Under another name until it is whole, so that nobody ever copies half of it. */
async function make(admin: pg.Client, plan: Plan): Promise<void> {
  const unfinished = newTestName()
  await whenFree(() => admin.query(`create database ${unfinished}`))
  try {
    await plan.prepare(urlOfDatabase(plan.adminUrl, unfinished))
    if ((await digestOf(plan.directory)) !== plan.content) {
      throw new Error(`Something changed in ${plan.directory} since these tests began; run them again`)
    }
    await admin.query(`comment on database ${unfinished} is '${useComment(Date.now())}'`)
    await admin.query(`alter database ${unfinished} with allow_connections false`)
    await publish(admin, unfinished, plan.name)
  } finally {
    await admin.query(`drop database if exists ${unfinished} with (force)`).catch(() => {})
  }
}

const duplicateDatabase = '42P04'
const objectInUse = '55006'

async function publish(admin: pg.Client, unfinished: string, name: string): Promise<void> {
  try {
    // The server waits 5 s for connections to go.
    await admin.query(`alter database ${unfinished} rename to ${name}`)
  } catch (cause) {
    // Somebody was faster who could not see our lock.
    if (codeOf(cause) === duplicateDatabase) return
    if (codeOf(cause) !== objectInUse) throw cause
    throw new Error('prepare left connections to its database open; let it close them before it resolves', { cause })
  }
}

const noSuchDatabase = '3D000'

async function copy(plan: Plan): Promise<TestDatabase> {
  const { adminUrl, name } = plan
  try {
    return await createTestDatabase({ adminUrl, template: name })
  } catch (error) {
    if (codeOf(error) !== noSuchDatabase) throw error
  }
  await administering(adminUrl, (admin) => provide(admin, plan), plan.waitTimeoutMs + 60_000)
  return await createTestDatabase({ adminUrl, template: name })
}
