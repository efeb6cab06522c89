import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defaults, type EdgeName, layersFor, slots, type StoreName, type Variant } from './layers.ts'
import { type Library, planFiles } from './plan.ts'
import { readTemplates, type TemplateFile } from './templates.ts'

const repository = join(import.meta.dirname, '../../..')
const published: Library = { kind: 'published', version: '9.8.7' }
const templatesOf = (variant: Variant) => readTemplates(join(repository, 'templates'), layersFor(variant))
const plan = (variant: Variant, library: Library = published, name = 'shop') =>
  planFiles({ name }, templatesOf(variant), library)
const textOf = (files: ReturnType<typeof plan>, path: string): string => {
  const file = files.find((one) => one.path === path)
  return file !== undefined && 'text' in file ? file.text : ''
}

const shared: readonly string[] = [
  '.dockerignore',
  '.env.example',
  '.gitignore',
  'Dockerfile',
  'README.md',
  'compose.yaml',
  'package.json',
  'src/app.ts',
  'src/config.ts',
  'src/edge.ts',
  'src/main.ts',
  'src/migrate.ts',
  'src/modules/accounts/accounts.controller.ts',
  'src/modules/accounts/accounts.module.ts',
  'src/modules/accounts/accounts.repository.ts',
  'src/modules/accounts/accounts.routes.test.ts',
  'src/modules/accounts/accounts.routes.ts',
  'src/modules/accounts/accounts.schema.ts',
  'src/modules/accounts/accounts.service.test.ts',
  'src/modules/accounts/accounts.service.ts',
  'src/modules/accounts/accounts.test.ts',
  'src/modules/accounts/audit.repository.ts',
  'src/modules/accounts/audit.ts',
  'src/modules/accounts/common-passwords.ts',
  'src/modules/catalog/catalog.controller.ts',
  'src/modules/catalog/catalog.module.ts',
  'src/modules/catalog/catalog.repository.ts',
  'src/modules/catalog/catalog.routes.ts',
  'src/modules/catalog/catalog.schema.ts',
  'src/modules/catalog/catalog.service.ts',
  'src/modules/catalog/catalog.test.ts',
  'src/modules/orders/orders.controller.ts',
  'src/modules/orders/orders.module.ts',
  'src/modules/orders/orders.repository.ts',
  'src/modules/orders/orders.routes.test.ts',
  'src/modules/orders/orders.routes.ts',
  'src/modules/orders/orders.schema.ts',
  'src/modules/orders/orders.service.test.ts',
  'src/modules/orders/orders.service.ts',
  'src/modules/orders/orders.test.ts',
  'src/modules/reports/reports.controller.ts',
  'src/modules/reports/reports.module.ts',
  'src/modules/reports/reports.repository.ts',
  'src/modules/reports/reports.routes.ts',
  'src/modules/reports/reports.schema.ts',
  'src/modules/reports/reports.service.ts',
  'src/modules/reports/reports.test.ts',
  'src/new-key.ts',
  'src/platform/auth.ts',
  'src/platform/database.ts',
  'src/platform/limits.ts',
  'src/platform/logger.ts',
  'src/platform/outbox.ts',
  'src/platform/paging.ts',
  'src/platform/redis.ts',
  'src/platform/rights.ts',
  'src/platform/store-config.ts',
  'src/platform/task.ts',
  'src/seed.ts',
  'test/database.ts',
  'test/support.ts',
  'tsconfig.build.json',
  'tsconfig.json',
]

const special: Readonly<Record<StoreName, readonly string[]>> = {
  postgres: [
    'migrations/0001_create_products.sql',
    'migrations/0002_create_sessions.sql',
    'migrations/0003_create_api_keys.sql',
    'migrations/0004_create_accounts.sql',
    'migrations/0005_add_stock.sql',
    'migrations/0006_create_orders.sql',
    'migrations/0007_secure_rows.sql',
    'src/modules/accounts/accounts.repository.test.ts',
    'src/modules/catalog/catalog.repository.test.ts',
    'src/modules/orders/orders.repository.test.ts',
    'src/modules/reports/reports.repository.test.ts',
    'src/platform/database.test.ts',
    'src/platform/outbox.test.ts',
    'test/until-blocked.ts',
  ],
  mongodb: [
    'src/modules/accounts/accounts.repository.test.ts',
    'src/modules/catalog/catalog.repository.test.ts',
    'src/modules/orders/orders.repository.test.ts',
    'src/platform/ids.test.ts',
    'src/platform/ids.ts',
    'src/platform/indexes.ts',
    'src/platform/outbox.test.ts',
  ],
}

const variants = (['fastify', 'express'] as const).flatMap((edge) =>
  (['postgres', 'mongodb'] as const).map((store) => ({ edge, store })),
)

describe.each(variants)('given a service on $edge and $store', (variant) => {
  const paths = [...shared, ...special[variant.store]].toSorted((a, b) => (a < b ? -1 : 1))

  test('it consists of these files', () => {
    expect(plan(variant).map(({ path }) => path)).toEqual(paths)
  })

  test('when the templates come in another order, the files are the same', () => {
    const reversed = planFiles({ name: 'shop' }, templatesOf(variant).toReversed(), published)
    expect(reversed.map(({ path }) => path)).toEqual(paths)
    const shuffled = templatesOf(variant).toSorted((a, b) => a.text.length - b.text.length)
    const differing = planFiles({ name: 'shop' }, shuffled, published).filter(
      (file) => 'text' in file && file.text !== textOf(plan(variant), file.path),
    )
    expect(differing.map(({ path }) => path)).toEqual([])
  })

  test('its package.json pins everything, as the repository tests it', () => {
    const root = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as Record<string, object>
    const tested = { ...root['devDependencies'], ...root['optionalDependencies'], holdfast: '9.8.7' }
    const manifest = JSON.parse(textOf(plan(variant), 'package.json')) as Record<string, Record<string, string>>
    const used = { ...manifest['dependencies'], ...manifest['devDependencies'], ...manifest['optionalDependencies'] }
    expect(tested).toMatchObject(used)
    expect(Object.keys(used)).toEqual(
      expect.arrayContaining([variant.edge, variant.store === 'postgres' ? 'pg' : 'mongoose']),
    )
    expect(Object.values(used).filter((version) => !/^\d/.test(version))).toEqual([])
  })

  test('its .env.example names each setting of its config once, and no other', () => {
    const files = plan(variant)
    const shown = [...textOf(files, '.env.example').matchAll(/^(?:# )?([A-Z_]+)=/gm)].map((match) => String(match[1]))
    const settings = textOf(files, 'src/config.ts') + textOf(files, 'src/platform/store-config.ts')
    const read = [...settings.matchAll(/^ {2}([A-Z_]+):/gm)].map((match) => String(match[1]))
    expect(shown.toSorted()).toEqual(read.toSorted())
  })

  test('when the library is packed from its sources, it is vendored, and the image takes it along', () => {
    const files = plan(variant, { kind: 'packed', version: '9.8.7', folder: '/sources' })
    expect(files.filter((file) => 'packFrom' in file)).toEqual([
      { path: 'vendor/holdfast-9.8.7.tgz', layers: [], packFrom: '/sources' },
    ])
    expect(textOf(files, 'package.json')).toContain('"holdfast": "file:vendor/holdfast-9.8.7.tgz"')
    expect(textOf(files, 'Dockerfile')).toContain('\nCOPY vendor ./vendor\n\n')
    expect(textOf(plan(variant), 'Dockerfile')).not.toContain('COPY vendor')
  })

  test('when its name has a scope, only the package carries it', () => {
    const files = plan(variant, published, '@team/shop')
    expect(textOf(files, 'package.json')).toContain('"name": "@team/shop"')
    expect(textOf(files, 'README.md')).toMatch(/^# `shop`\n/)
  })
})

const differing = (one: Variant, other: Variant): string[] => {
  const others = plan(other)
  return plan(one)
    .filter((file) => 'text' in file && file.text !== textOf(others, file.path))
    .map(({ path }) => path)
}

test.each(['postgres', 'mongodb'] as const)(
  'on %s, the two edges differ in the slot of the edge and in what they depend on',
  (store) => {
    const edges: readonly EdgeName[] = ['fastify', 'express']
    const [one, other] = edges.map((edge) => ({ edge, store })) as [Variant, Variant]
    expect(differing(one, other)).toEqual(['package.json', 'src/edge.ts'])
  },
)

test('the two stores differ in repositories and what they stand on: not in services, controllers or routes', () => {
  const paths = differing({ edge: 'fastify', store: 'mongodb' }, { edge: 'fastify', store: 'postgres' })
  const known = [
    '.env.example',
    'Dockerfile',
    'README.md',
    'compose.yaml',
    'package.json',
    ...slots,
    ...special.mongodb,
  ]
  expect(paths.filter((path) => !known.includes(path))).toEqual([])
  expect(paths).toContain('src/modules/catalog/catalog.repository.ts')
})

describe('given templates that do not fit together', () => {
  const withFile = (file: TemplateFile) => () =>
    planFiles({ name: 'shop' }, [...templatesOf(defaults), file], published)

  test('when two layers bring one file, there is no plan', () => {
    expect(withFile({ layer: 'store-postgres', path: 'src/edge.ts', text: '' })).toThrow('both bring src/edge.ts')
  })

  test('when nobody fills a slot, there is no plan', () => {
    const templates = templatesOf(defaults).filter(({ path }) => path !== 'src/edge.ts')
    expect(() => planFiles({ name: 'shop' }, templates, published)).toThrow('slot src/edge.ts')
  })

  test('when a word stays unfilled, there is no plan', () => {
    expect(withFile({ layer: 'base', path: 'a.txt', text: '__SERVICE_NAEM__' })).toThrow('__SERVICE_NAEM__')
  })

  test('when two layers pin a package differently, there is no plan', () => {
    const text = '{ "dependencies": { "zod": "1.0.0" } }'
    expect(withFile({ layer: 'store-postgres', path: 'package.json', text })).toThrow(/disagree about zod/)
  })

  test('when two layers explain one setting, there is no plan', () => {
    expect(withFile({ layer: 'edge-fastify', path: '.env.example', text: '# PORT=1' })).toThrow(/both|Two layers/)
  })
})
