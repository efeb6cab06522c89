import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { exchange, type WireResponse } from '../../src/testing/conformance/wire.ts'
import { createLog, type Native, natives, thrown } from './apps.ts'
import type { RunningEdge } from '../edges.ts'

const log = createLog()
const json = ['Content-Type: application/json']

describe.each(Object.entries(natives))(
  'given a native %s app with single parts of ours',
  (framework, native: Native) => {
    let app: RunningEdge
    beforeAll(async () => {
      app = await native.parts(log)
    })
    afterEach(() => void log.records.splice(0))
    afterAll(() => app.stop())

    async function ask(line: string, headers: readonly string[] = [], body = ''): Promise<WireResponse> {
      const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
      const head = [`${line} HTTP/1.1`, 'Host: a', 'Connection: close', ...length, ...headers].join('\r\n')
      const { responses } = await exchange(app.url, `${head}\r\n\r\n${body}`)
      const [response] = responses
      if (response === undefined) throw new Error(`${line} got no reply`)
      return response
    }
    const header = ({ headers }: WireResponse, name: string): string | undefined =>
      headers.find(([key]) => key === name)?.[1]
    const lines = (): readonly unknown[] =>
      log.records.filter(({ message }) => message === 'request').map(({ fields }) => fields)
    const errors = (): readonly unknown[] => log.records.filter(({ level }) => level === 'error' || level === 'fatal')

    test('when input is valid, the handler reads what the schema made of it', async () => {
      const made = await ask('POST /orders', json, '{"name":"rope","quantity":2}')
      expect(made.status).toBe(200)
      expect(JSON.parse(made.body)).toMatchObject({ body: { name: 'rope', quantity: 2 } })
      const found = await ask('GET /search?limit=5')
      expect(JSON.parse(found.body)).toEqual({ query: { limit: 5 }, raw: { limit: '5' } })
      expect(JSON.parse((await ask('GET /orders/7')).body)).toEqual({ id: 7 })
    })

    test.each([
      ['JSON that is not valid', 'POST /orders', json, '{"name":', 400],
      ['a body that is too large', 'POST /orders', json, `{"name":"${'x'.repeat(2000)}"}`, 413],
      ['a charset nobody reads', 'POST /orders', ['Content-Type: application/json; charset=klingon'], '{}', [400, 415]],
      ['a media type nobody reads', 'POST /orders', ['Content-Type: text/csv'], 'a,b', [400, 415]],
      ['no body', 'POST /orders', [], '', 400],
      ['a member too many', 'POST /orders', json, '{"name":"rope","quantity":2,"isAdmin":true}', 400],
      ['a prototype key', 'POST /orders', json, '{"name":"rope","quantity":2,"__proto__":{"isAdmin":true}}', 400],
      [
        'a constructor',
        'POST /orders',
        json,
        '{"name":"rope","quantity":2,"constructor":{"prototype":{"isAdmin":true}}}',
        400,
      ],
      ['half of a surrogate pair', 'POST /orders', json, '{"name":"\\ud800","quantity":2}', 400],
      ['deep nesting', 'POST /orders', json, `{"name":${'['.repeat(400)}${']'.repeat(400)}}`, 400],
      ['a query that does not fit', 'GET /search?limit=many', [], '', 400],
      ['one member of a query twice', 'GET /search?limit=5&limit=6', [], '', 400],
      ['a prototype key in a query', 'GET /search?limit=5&__proto__=1', [], '', 400],
      ['a path that does not fit', 'GET /orders/seven', [], '', 400],
    ])('when %s comes, it is refused in our words', async (_what, line, headers, body, status) => {
      const refused = await ask(line, headers, body)
      expect([status].flat()).toContain(refused.status)
      expect(header(refused, 'content-type')).toBe('application/problem+json; charset=utf-8')
      expect(
        Object.keys(JSON.parse(refused.body) as object).filter(
          (member) =>
            !['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId', 'errors'].includes(member),
        ),
      ).toEqual([])
      expect(refused.body).not.toMatch(/FST_|entity\.|SyntaxError|Unexpected|position|\.ts:|node_modules/)
      expect(errors()).toEqual([])
    })

    // What Fastify says of a path it can't decode is settled when the app is made: `fastifyOptions` does, no plugin can.
    const canRefuseBrokenPaths = framework === 'express'
    test(`when a path is broken, it is refused in ${canRefuseBrokenPaths ? 'our' : "the framework's"} words`, async () => {
      const refused = await ask('GET /orders/%zz')
      expect(refused.status).toBe(400)
      expect(header(refused, 'content-type')?.startsWith('application/problem+json')).toBe(canRefuseBrokenPaths)
    })

    test.each(Object.keys(thrown))(
      'when a handler throws %s, the answer is a bare 500, and the log has it once',
      async (value) => {
        const failed = await ask(`GET /throws/${value}`)
        expect(failed.status).toBe(500)
        expect(JSON.parse(failed.body)).toMatchObject({ code: 'internal', status: 500 })
        expect(errors()).toHaveLength(1)
      },
    )

    test.each(Object.keys(thrown))('when a schema throws %s, nothing gets past it', async (value) => {
      const failed = await ask(`GET /faulty/${value}/7`)
      expect(failed.body).not.toContain('reached')
      expect(failed.status).toBe(500)
      expect(errors()).toHaveLength(1)
    })

    test('when a handler reads what was never validated, it gets nothing', async () => {
      expect((await ask('GET /unvalidated')).status).toBe(500)
    })

    test.each([
      ['GET /context', [], ''],
      ['POST /context-later', json, '{"a":1}'],
      ['POST /orders', json, '{"name":"rope","quantity":2}'],
    ])('when %s is served, the handler finds its request and its id', async (line, headers, body) => {
      const seen = await ask(line, headers, body)
      const { context } = JSON.parse(seen.body) as { context: string }
      expect(context).toMatch(/^[0-9a-f-]{36}$/)
      expect(header(seen, 'x-request-id')).toBe(context)
    })

    test.each([
      ['GET /orders/7', '/orders/:id', 200],
      ['GET /orders/seven', '/orders/:id', 400],
      ['GET /throws/error', '/throws/error', 500],
      ['GET /nested/fine/7', '/nested/fine/:id', 200],
      ['GET /nowhere', undefined, 404],
    ])('when %s was served, there is one line of it, with its route', async (line, route, status) => {
      const reply = await ask(line)
      await expect.poll(lines).toHaveLength(1)
      expect(lines()[0]).toMatchObject({
        status,
        requestId: header(reply, 'x-request-id'),
        client: '127.0.0.1',
        method: 'GET',
      })
      expect((lines()[0] as { route?: string }).route).toBe(route)
    })

    test('when a nested route fails, its line names the route, whole where the framework still knows it', async () => {
      await ask('GET /nested/broken/7')
      // Express forgets where a router was mounted as soon as one of its handlers has thrown.
      const route = framework === 'express' ? '/broken/:id' : '/nested/broken/:id'
      await expect.poll(lines).toMatchObject([{ route, status: 500 }])
    })
  },
)
