import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { createHttp, type CreateHttpOptions } from '../src/adapters/zod/create-http.ts'
import { signedIn } from '../src/core/auth/access.ts'
import type { Principal } from '../src/core/auth/principal.ts'
import { created, empty, noContent, ok, page, pageOf } from '../src/core/http/reply.ts'
import { get, post, type Route } from '../src/core/http/route.ts'

const Id = z.object({ id: z.coerce.number() })
const Order = z.object({ id: z.number(), status: z.enum(['open', 'shipped']), tags: z.array(z.string()) })
const order = { id: 1, status: 'open', tags: ['a'] as readonly string[] } as const

// Each table below is data that the compiler judges; the tests hand the same rows to the boot, which judges them again.
const compiles: readonly Route[] = [
  get('/orders/:id', { access: 'public', params: Id, reply: { 200: Order } }, (call) => {
    expectTypeOf(call.params).toEqualTypeOf<{ id: number }>()
    expectTypeOf(call.body).toEqualTypeOf<undefined>()
    expectTypeOf(call.principal).toEqualTypeOf<Principal | undefined>()
    return ok(order)
  }),
  get('/mine', { access: signedIn, reply: { 200: pageOf(Order) } }, (call) => {
    expectTypeOf(call.principal).toEqualTypeOf<Principal>()
    return page([order], null)
  }),
  post('/orders', { access: 'public', body: Order, reply: { 201: Order, 204: empty } }, async (call) => {
    expectTypeOf(call.body.status).toEqualTypeOf<'open' | 'shipped'>()
    return call.body.id > 1 ? created(`/orders/${call.body.id}`, call.body) : noContent()
  }),
]

const doNotCompile: readonly [why: string, row: () => Route, message: string][] = [
  [
    'lacks access',
    // @ts-expect-error a route has to say who may call it
    () => get('/a', { reply: { 204: empty } }, () => noContent()),
    'Route GET /a lacks `access`',
  ],
  [
    'lacks reply',
    // @ts-expect-error a route has to say what may leave
    () => get('/a', { access: 'public' }, () => noContent()),
    'Route GET /a lacks `reply`',
  ],
  [
    'names an access that is none',
    // @ts-expect-error only 'public' and rules grant access
    () => get('/a', { access: 'everyone', reply: { 204: empty } }, () => noContent()),
    'Route GET /a lacks `access`',
  ],
]

// What the boot can't see and the compiler must: never called.
export const compilerOnly: readonly (() => Route)[] = [
  // @ts-expect-error no schema vouches for a body
  () => post('/a', { access: 'public', reply: { 200: Order } }, (call) => ok(call.body.anything)),
  // @ts-expect-error no schema vouches for the params
  () => get('/a', { access: 'public', reply: { 200: Order } }, (call) => ok(call.params.id)),
  // @ts-expect-error the reply lists no 201
  () => post('/a', { access: 'public', reply: { 200: Order } }, () => created('/a', order)),
  // @ts-expect-error the reply's data does not fit
  () => get('/a', { access: 'public', reply: { 200: Order } }, () => ok({ id: 'one' })),
  // @ts-expect-error a page is not one thing
  () => get('/a', { access: 'public', reply: { 200: Order } }, () => page([order], null)),
]

describe('given a route table that compiles', () => {
  test('when it boots, it boots', () => {
    expect(createHttp(compiles, { authenticate: () => undefined }).routes).toHaveLength(3)
  })
})

describe('given a route that says too little', () => {
  test.each(doNotCompile)('when it %s, it does not boot and the message names route and part', (_why, row, message) => {
    expect(() => createHttp([row()])).toThrow(message)
  })

  test('when it is not public and nobody can say who calls, it does not boot', () => {
    const row = get('/mine', { access: signedIn, reply: { 204: empty } }, () => noContent())
    expect(() => createHttp([row])).toThrow('Route GET /mine is not public, but `authenticate` is missing')
  })

  test.each([
    ['a trailing slash', '/a/'],
    ['no leading slash', 'a'],
    ['a pattern', '/a/*'],
    ['an optional part', '/a{/:b}'],
    ['an encoded letter', '/%61'],
    ['an empty segment', '/a//b'],
    ['a dot segment', '/a/../b'],
  ])('when its path has %s, it does not boot', (_what, path) => {
    const row = get(path, { access: 'public', reply: { 204: empty } }, () => noContent())
    expect(() => createHttp([row])).toThrow('a path is segments such as /products/:id')
  })

  test('when its path has parameters that no schema reads, it does not boot', () => {
    const row = get('/a/:id', { access: 'public', reply: { 204: empty } }, () => noContent())
    expect(() => createHttp([row])).toThrow('lacks `params`')
  })

  test('when it would answer with a refusal, it does not boot', () => {
    const row = get('/a', { access: 'public', reply: { 404: Order } }, () => ok(order) as never)
    expect(() => createHttp([row])).toThrow('throw an AppError for the rest')
  })

  test.each([
    ['timeoutMs', Number.NaN],
    ['timeoutMs', 0],
    ['maxBodyBytes', -1],
    ['maxBodyBytes', Number.POSITIVE_INFINITY],
    ['maxBodyBytes', '1mb' as never],
  ])('when its %s is %s, it does not boot', (option, value) => {
    const row = get('/a', { access: 'public', reply: { 204: empty }, [option]: value }, () => noContent())
    expect(() => createHttp([row])).toThrow(new RegExp(`${option} is "?${value}"?; it must be a whole number`))
  })

  test.each([
    ['a 204 with a body', '/a', { reply: { 204: Order } }, '204 has no body; write { 204: empty }'],
    [
      'a way with unknown keys that is none',
      '/a',
      { reply: { 204: empty }, unknownKeys: 'reject' },
      "write 'refuse' or 'drop'",
    ],
    ['a misspelt member', '/a', { reply: { 204: empty }, boddy: Order }, '`boddy` is none of'],
    [
      'one parameter twice',
      '/:a/:a',
      { reply: { 204: empty }, params: Id },
      'the parameter :a stands in the path twice',
    ],
  ])('when it has %s, it does not boot', (_what, path, spec, message) => {
    const row = get(path, { access: 'public', ...spec } as never, (() => noContent()) as never)
    expect(() => createHttp([row])).toThrow(message)
  })

  test('when it stands twice in the table, it does not boot', () => {
    const row = get('/a', { access: 'public', reply: { 204: empty } }, () => noContent())
    expect(() => createHttp([row, row])).toThrow('GET /a is in the table already')
  })
})

describe('given options that are unsafe', () => {
  test('when defects would be revealed in production, it does not boot', () => {
    const before = process.env['NODE_ENV']
    process.env['NODE_ENV'] = 'production'
    try {
      expect(() => createHttp([], { revealDefects: true })).toThrow('refused when NODE_ENV is production')
    } finally {
      if (before === undefined) delete process.env['NODE_ENV']
      else process.env['NODE_ENV'] = before
    }
  })

  test.each<[CreateHttpOptions, RegExp]>([
    [{ headers: { headers: ['x-a', 'b\r\nset-cookie: c'], secureHeaders: [] } }, /x-a/],
    [{ headers: { headers: ['content-length', '1'], secureHeaders: [] } }, /content-length/],
    [{ timeoutMs: Number.NaN }, /timeoutMs is NaN/],
  ])('when they are %j, it does not boot', (options, words) => {
    expect(() => createHttp([], options)).toThrow(words)
  })
})
