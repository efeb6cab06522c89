// Accident: a guide is right on the day it was written. Readers copy an example that no longer starts, or trust an answer
// that no longer comes.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  createTestDatabase,
  type EmbeddedPostgres,
  startEmbeddedPostgres,
  type TestDatabase,
} from 'holdfast/embedded-postgres'
import { startEmbeddedRedis } from 'holdfast/embedded-redis'
import { migrate } from 'holdfast/migrations'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startProxy } from '../packages/holdfast/test/faults/proxy.ts'
import { startWireStore } from '../packages/holdfast/test/mongo/wire-store.ts'
import { createHappenings } from './guide-happenings.ts'
import { type GuidePage, kindOf, readGuide } from './guide-page.ts'
import { createProject } from './guide-runner.ts'
import { proveTalk } from './guide-talk.ts'

const folder = join(import.meta.dirname, '../docs/guides')
const pages = readdirSync(folder).map((file) => readGuide(file, readFileSync(join(folder, file), 'utf8')))
const mains = ['fastify-main.ts', 'express-main.ts']
// `GUIDE=sessions` has that one proven alone.
const isWanted = ({ name }: GuidePage): boolean => name !== 'README' && (process.env['GUIDE'] ?? name) === name
const guides = pages.filter(isWanted).map((page) => ({ ...page, project: filesOf(page) }))

const project = createProject(
  Object.fromEntries(
    guides.flatMap(({ name, project: files, migrations }) =>
      [...files, ...migrations].map(([file, code]) => [`${name}/${file}`, code]),
    ),
  ),
)
afterAll(() => project.remove())

type Guide = (typeof guides)[number]

/** A page's examples, with the parts and main files that they take from other pages. */
function filesOf({ files: own }: GuidePage): ReadonlyMap<string, string> {
  const files = new Map(own)
  for (const main of mains) files.set(main, exampleOf(main))
  // Grows while it is walked: parts take parts.
  for (const code of files.values()) {
    for (const [, part = ''] of code.matchAll(/from '\.\/([\w.-]+\.ts)'/g)) {
      if (!files.has(part)) files.set(part, exampleOf(part))
    }
  }
  return files
}

function exampleOf(file: string): string {
  const code = pages.find(({ files }) => files.has(file))?.files.get(file)
  if (code === undefined) throw new Error(`No guide shows ${file}`)
  return code
}

test('when all examples are compiled as they stand, they compile', () => {
  expect(project.compile()).toBe('')
})

/** What the rules refuse, wherever it is not in a repository. */
const wrong = `
import { sql } from 'holdfast/postgres'
export const text = (name: string) => \`select id from boats where name = \${name}\`
export const query = sql\`select 1\`
`

test.each(guides.filter(({ lint }) => lint !== undefined))(
  'when the guide $name is linted as it says, it passes, and what it warns of does not',
  ({ name, lint }) => {
    const place = join(project.folder, name)
    writeFileSync(join(place, '.oxlintrc.json'), lint ?? '')
    expect(project.lint(name)).toMatchObject({ isFine: true })
    writeFileSync(join(place, 'wrong.ts'), wrong)
    const { isFine, said } = project.lint(name)
    expect(isFine).toBe(false)
    expect(said).toContain('holdfast(no-built-sql)')
    expect(said).toContain('holdfast(sql-in-repositories)')
  },
)

describe.each(guides)('given the guide $name', (guide) => {
  test('when it is read, a new service, an Express app and a Fastify app are there', () => {
    expect([...guide.files.keys()]).toEqual(expect.arrayContaining(['service.ts', 'express-app.ts', 'fastify-app.ts']))
  })

  // Once more when it failed: on a machine that stands still for 100 ms, a limiter counts by itself, as its page says.
  test.each(runsOf(guide))(
    'when $app is run by $file, it does as the page says',
    { retry: 1 },
    async ({ app, file }) => {
      const world = await makeWorld(guide)
      if (kindOf(guide, app) === 'script') return project.run(`${guide.name}/${file}`, world.env)
      const issuer = mentions(guide, 'ISSUER_URL') ? await project.start(`signing-keys/${mains[0]}`) : undefined
      const env = { ...world.env, ...(issuer && { ISSUER_URL: issuer.url }) }
      const running = await project.start(`${guide.name}/${file}`, env)
      const happen = (what: string): Promise<void> => world.happen(what, running.url)
      const partners = { app: running.url, issuer: issuer?.url, happen }
      for (const talk of guide.talks.filter(({ apps }) => apps.includes(app))) {
        await proveTalk(guide.name, talk, partners).catch(async (error: unknown) => {
          // What it has to say of this is on its way.
          await pause(200)
          throw new Error(`${String(error)}\n\n${file} said:\n${running.output()}`, { cause: error })
        })
      }
      running.stop()
      issuer?.stop()
    },
  )
})

/** A route table is run on each framework, all else as it stands. */
function runsOf(guide: GuidePage): { app: string; file: string }[] {
  const files = [...guide.files.keys()].filter((file) => kindOf(guide, file) !== 'part')
  return files.flatMap((app) =>
    kindOf(guide, app) === 'table' ? mains.map((file) => ({ app, file })) : [{ app, file: app }],
  )
}

const mentions = ({ project: files }: Guide, variable: string): boolean =>
  [...files.values()].some((code) => code.includes(variable))

interface World {
  readonly env: NodeJS.ProcessEnv
  readonly happen: (what: string, app: string) => Promise<void>
}

const leftovers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const clear of leftovers.splice(0).toReversed()) await clear()
})

/** Redis, PostgreSQL and MongoDB for a page that names them: empty, and with ways to take them away. */
async function makeWorld(guide: Guide): Promise<World> {
  const redis = mentions(guide, 'REDIS_URL') ? await behindProxy(await startRedis()) : undefined
  const databaseUrl = mentions(guide, 'DATABASE_URL') ? await startDatabase(guide) : undefined
  const postgres = databaseUrl === undefined ? undefined : await behindProxy(databaseUrl)
  const others = databaseUrl === undefined ? undefined : createHappenings(databaseUrl)
  if (others !== undefined) leftovers.push(() => others.end())
  const mongo = mentions(guide, 'MONGODB_URL') ? await startWireStore() : undefined
  if (mongo !== undefined) leftovers.push(() => mongo.close())
  const happenings: Readonly<Record<string, (() => unknown) | undefined>> = {
    'Redis is gone': redis?.leave,
    'Redis is back': redis?.comeBack,
    'PostgreSQL is gone': postgres?.leave,
    'PostgreSQL is back': postgres?.comeBack,
    'MongoDB has no primary': mongo && (() => mongo.server.stepDown()),
    'MongoDB has elected one': mongo && (() => mongo.server.stepUp()),
    'MongoDB breaks every connection': mongo && (() => mongo.server.cutAll()),
  }
  return {
    env: {
      ...(redis && { REDIS_URL: redis.url }),
      ...(postgres && { DATABASE_URL: postgres.url }),
      ...(mongo && { MONGODB_URL: mongo.url }),
    },
    happen: async (what, app) => {
      const happening = happenings[what]
      if (happening !== undefined) await happening()
      else if ((await others?.happen(what, app)) !== true)
        throw new Error(`Nobody knows how to make this happen: ${what}`)
    },
  }
}

async function startRedis(): Promise<string> {
  const server = await startEmbeddedRedis()
  if (server === undefined) throw new Error('There is no redis-server on PATH')
  leftovers.push(() => server.stop())
  return server.url
}

let postgres: EmbeddedPostgres
let template: TestDatabase
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  template = await createTestDatabase({ adminUrl: postgres.url })
  await migrate({ url: template.url, directory: join(import.meta.dirname, '../templates/store-postgres/migrations') })
})
afterAll(() => postgres?.stop())

/** Of the page's own migrations, or of those of an assembled service where it shows none. */
async function startDatabase({ name, migrations }: GuidePage): Promise<string> {
  const own = migrations.size > 0
  const database = await createTestDatabase({ adminUrl: postgres.url, ...(!own && { template: template.name }) })
  leftovers.push(() => database.drop())
  if (own) await migrate({ url: database.url, directory: join(project.folder, name, 'migrations') })
  return database.url
}

interface Remote {
  readonly url: string
  readonly leave: () => Promise<void>
  readonly comeBack: () => Promise<void>
}

async function behindProxy(address: string): Promise<Remote> {
  const url = new URL(address)
  const proxy = await startProxy(Number(url.port))
  leftovers.push(() => proxy.stop())
  url.port = String(proxy.port)
  return {
    url: url.href,
    async leave() {
      await proxy.refuse()
      proxy.reset()
    },
    comeBack: () => proxy.pass(),
  }
}
