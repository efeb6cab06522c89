import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Schema, SchemaResult } from '../../foundation/schema.ts'
import { closeObjects } from './close-objects.ts'
import { prepareZod } from './prepare-schema.ts'

const codes = (schema: Schema, value: unknown, unknownKeys: 'refuse' | 'drop' = 'refuse'): unknown => {
  const result = prepareZod(schema, unknownKeys).schema['~standard'].validate(value) as SchemaResult<unknown>
  return result.issues === undefined ? result.value : result.issues.map(({ code }) => code)
}
const refused = ['unrecognized_keys']
const leaf = z.object({ a: z.string() })
interface Tree {
  readonly v: string
  readonly kids: Tree[]
}
const tree: z.ZodType<Tree> = z.object({
  v: z.string(),
  get kids() {
    return z.array(tree)
  },
})
const lazy: z.ZodType = z.lazy(() => z.object({ v: z.string(), kid: lazy.optional() }))

describe('given objects that say nothing of unknown keys', () => {
  test.each<[string, Schema, unknown]>([
    ['at the top', leaf, { a: 'x', b: 1 }],
    ['in a member', z.object({ m: leaf.optional() }), { m: { a: 'x', b: 1 } }],
    ['in a list', z.array(leaf), [{ a: 'x', b: 1 }]],
    ['in a tuple', z.tuple([leaf]), [{ a: 'x', b: 1 }]],
    ["in a tuple's rest", z.tuple([z.int()], leaf), [1, { a: 'x', b: 1 }]],
    ['in a record', z.record(z.string(), leaf), { k: { a: 'x', b: 1 } }],
    [
      'behind nullable, default and readonly',
      z.object({ m: leaf.nullable().default({ a: '' }).readonly() }),
      { m: { a: 'x', b: 1 } },
    ],
    ['in a recursive schema', tree, { v: 'a', kids: [{ v: 'b', kids: [], evil: 1 }] }],
    ['in a lazy schema', lazy, { v: 'a', kid: { v: 'b', evil: 1 } }],
    ['before a transform', leaf.transform(({ a }) => a), { a: 'x', b: 1 }],
    ['before a refinement', leaf.refine(() => true), { a: 'x', b: 1 }],
    ['in a discriminated union', z.discriminatedUnion('t', [z.object({ t: z.literal('a') })]), { t: 'a', b: 1 }],
    ['in an intersection', z.intersection(leaf, z.object({ c: z.string() })), { a: 'x', c: 'y', d: 1 }],
  ])('when one comes %s, it is refused, or dropped where that is declared', (_where, schema, value) => {
    expect(codes(schema, value)).toEqual(refused)
    expect(JSON.stringify(codes(schema, value, 'drop'))).not.toMatch(/unrecognized|"b":|evil|"d":/)
  })

  test('when what is sent fits, it passes', () => {
    expect(codes(tree, { v: 'a', kids: [{ v: 'b', kids: [] }] })).toEqual({ v: 'a', kids: [{ v: 'b', kids: [] }] })
    expect(codes(z.intersection(leaf, z.object({ c: z.string() })), { a: 'x', c: 'y' })).toEqual({ a: 'x', c: 'y' })
  })

  test('when a refinement fails, it still does after closing', () => {
    expect(
      codes(
        leaf.refine(({ a }) => a === 'right'),
        { a: 'wrong' },
      ),
    ).toEqual(['custom'])
  })
})

describe('given objects that have said what becomes of unknown keys', () => {
  test('when they are loose, the keys pass', () => {
    expect(codes(z.looseObject({ a: z.string() }), { a: 'x', b: 1 })).toEqual({ a: 'x', b: 1 })
  })

  test('when they have a catchall, it decides', () => {
    expect(codes(leaf.catchall(z.int()), { a: 'x', b: 1 })).toEqual({ a: 'x', b: 1 })
  })
})

describe('given the schema of a query', () => {
  test('when members are lists, they are known as such through their wrappers', () => {
    const query = z.object({
      a: z.array(z.string()).optional(),
      b: z.string(),
      c: z.array(z.string()).default([]),
      e: z.string().transform((text) => text.split(',')),
    })
    expect(prepareZod(query, 'refuse').listKeys).toEqual(new Set(['a', 'c']))
  })
})

describe('given a schema of another library', () => {
  const other: Schema = { '~standard': { version: 1, vendor: 'other', validate: (value) => ({ value }) } }
  test('when it is made ready, it is left as it is', () => {
    expect(prepareZod(other, 'refuse')).toEqual({ schema: other, listKeys: new Set() })
  })
})

describe('given schemas whose objects were closed', () => {
  test.each<[string, z.ZodType]>([
    ['an object', leaf],
    ['objects in members, lists and tuples', z.object({ m: leaf.optional(), l: z.array(leaf), t: z.tuple([leaf]) })],
    ['a record of objects', z.record(z.string(), leaf)],
    ['a union of objects', z.union([leaf, z.object({ b: z.int() })])],
    ['texts that become numbers', z.object({ id: z.coerce.number().int().min(1) })],
  ])('when %s is compiled, it is', (_what, schema) => {
    expect(() => z.compile(closeObjects(schema) as z.ZodType, { strict: true })).not.toThrow()
  })
})
