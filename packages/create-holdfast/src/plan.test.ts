import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type EdgeName, layersFor } from './layers.ts'
import { type Library, planFiles } from './plan.ts'
import { readTemplates, type TemplateFile } from './templates.ts'

const repository = join(import.meta.dirname, '../../..')
const published: Library = { kind: 'published', version: '9.8.7' }
const templatesOf = (edge: EdgeName) => readTemplates(join(repository, 'templates'), layersFor(edge))
const plan = (edge: EdgeName, library: Library = published, name = 'shop') =>
  planFiles({ name }, templatesOf(edge), library)
const textOf = (files: ReturnType<typeof plan>, path: string): string => {
  const file = files.find((one) => one.path === path)
  return file !== undefined && 'text' in file ? file.text : ''
}

const paths = [
  '.dockerignore',
  '.env.example',
  '.gitignore',
  'Dockerfile',
  'README.md',
  'compose.yaml',
  'migrations/0001_create_products.sql',
  'migrations/0002_create_sessions.sql',
  'migrations/0003_create_api_keys.sql',
  'migrations/0004_create_accounts.sql',
  'package.json',
  'src/app.ts',
  'src/config.ts',
  'src/edge.ts',
  'src/main.ts',
  'src/migrate.ts',
  'src/modules/accounts/accounts.controller.ts',
  'src/modules/accounts/accounts.module.ts',
  'src/modules/accounts/accounts.repository.test.ts',
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
  'src/new-key.ts',
  'src/platform/auth.ts',
  'src/platform/database.ts',
  'src/platform/limits.ts',
  'src/platform/logger.ts',
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

describe.each(['fastify', 'express'] as const)('given a service on %s', (edge) => {
  test('it consists of these files', () => {
    expect(plan(edge).map(({ path }) => path)).toEqual(paths)
  })

  test('when the templates come in another order, the files are the same', () => {
    expect(planFiles({ name: 'shop' }, templatesOf(edge).toReversed(), published).map(({ path }) => path)).toEqual(
      paths,
    )
    const shuffled = templatesOf(edge).toSorted((a, b) => a.text.length - b.text.length)
    const differing = planFiles({ name: 'shop' }, shuffled, published).filter(
      (file) => 'text' in file && file.text !== textOf(plan(edge), file.path),
    )
    expect(differing.map(({ path }) => path)).toEqual([])
  })

  test('its package.json pins everything, as the repository tests it', () => {
    const root = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as Record<string, object>
    const tested = { ...root['devDependencies'], ...root['optionalDependencies'], holdfast: '9.8.7' }
    const manifest = JSON.parse(textOf(plan(edge), 'package.json')) as Record<string, Record<string, string>>
    const used = { ...manifest['dependencies'], ...manifest['devDependencies'], ...manifest['optionalDependencies'] }
    expect(tested).toMatchObject(used)
    expect(Object.keys(used)).toContain(edge)
    expect(Object.values(used).filter((version) => !/^\d/.test(version))).toEqual([])
  })

  test('its .env.example names each setting of its config once, and no other', () => {
    const files = plan(edge)
    const shown = [...textOf(files, '.env.example').matchAll(/^(?:# )?([A-Z_]+)=/gm)].map((match) => String(match[1]))
    const settings = textOf(files, 'src/config.ts') + textOf(files, 'src/platform/store-config.ts')
    const read = [...settings.matchAll(/^ {2}([A-Z_]+):/gm)].map((match) => String(match[1]))
    expect(shown.toSorted()).toEqual(read.toSorted())
  })

  test('when the library is packed from its sources, it is vendored, and the image takes it along', () => {
    const files = plan(edge, { kind: 'packed', version: '9.8.7', folder: '/sources' })
    expect(files.filter((file) => 'packFrom' in file)).toEqual([
      { path: 'vendor/holdfast-9.8.7.tgz', layers: [], packFrom: '/sources' },
    ])
    expect(textOf(files, 'package.json')).toContain('"holdfast": "file:vendor/holdfast-9.8.7.tgz"')
    expect(textOf(files, 'Dockerfile')).toContain('\nCOPY vendor ./vendor\n\n')
    expect(textOf(plan(edge), 'Dockerfile')).not.toContain('COPY vendor')
  })

  test('when its name has a scope, only the package carries it', () => {
    const files = plan(edge, published, '@team/shop')
    expect(textOf(files, 'package.json')).toContain('"name": "@team/shop"')
    expect(textOf(files, 'README.md')).toMatch(/^# `shop`\n/)
  })
})

test('the two edges differ in the slot of the edge and in what they depend on', () => {
  const express = plan('express')
  const differing = plan('fastify').filter((file) => 'text' in file && file.text !== textOf(express, file.path))
  expect(differing.map(({ path }) => path)).toEqual(['package.json', 'src/edge.ts'])
})

describe('given templates that do not fit together', () => {
  const withFile = (file: TemplateFile) => () =>
    planFiles({ name: 'shop' }, [...templatesOf('fastify'), file], published)

  test('when two layers bring one file, there is no plan', () => {
    expect(withFile({ layer: 'store-postgres', path: 'src/edge.ts', text: '' })).toThrow('both bring src/edge.ts')
  })

  test('when nobody fills a slot, there is no plan', () => {
    const templates = templatesOf('fastify').filter(({ path }) => path !== 'src/edge.ts')
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
