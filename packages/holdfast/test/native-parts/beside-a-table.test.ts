import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { exchange, type WireResponse } from '../../src/testing/conformance/wire.ts'
import type { RunningEdge } from '../edges.ts'
import { createLog, type Native, natives } from './apps.ts'

const log = createLog()
const order = '{"name":"rope","quantity":2}'

async function ask(url: string, line: string, body = ''): Promise<WireResponse> {
  const framing = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
  const isHead = line.startsWith('HEAD')
  const { responses } = await exchange(
    url,
    `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${framing}\r\n${body}`,
    { isHead },
  )
  const [response] = responses
  if (response === undefined) throw new Error(`${line} got no reply`)
  return response
}
const headerOf = ({ headers }: WireResponse, name: string): string | undefined =>
  headers.find(([key]) => key === name)?.[1]

describe.each(['', '/api'])('given a table mounted at "%s" beside native routes', (prefix) => {
  describe.each(Object.entries(natives))('on %s', (_name, native: Native) => {
    let app: RunningEdge
    beforeAll(async () => {
      app = await native.mixed(log, prefix)
    })
    afterEach(() => void log.records.splice(0))
    afterAll(() => app.stop())

    test.each<[line: string, body: string, status: number, answer: string]>([
      [`GET ${prefix}/orders`, '', 200, '{"data":{"by":"table"}}'],
      [`POST ${prefix}/mixed`, order, 200, '{"data":{"by":"table"}}'],
      [`GET ${prefix}/mixed`, '', 200, '{"by":"native"}'],
      ['PUT /native', order, 200, `{"by":"native","body":${order}}`],
      [`HEAD ${prefix}/orders`, '', 200, ''],
      [`HEAD ${prefix}/mixed`, '', 200, ''],
      [`GET http://shop.example${prefix}/orders`, '', 200, '{"data":{"by":"table"}}'],
      [`GET ${prefix}/orders?`, '', 200, '{"data":{"by":"table"}}'],
    ])('when %s comes, its own handler answers', async (line, body, status, answer) => {
      const reply = await ask(app.url, line, body)
      expect(reply.status).toBe(status)
      expect(reply.body).toBe(answer)
    })

    test.each<[line: string, status: number, allow: string | undefined]>([
      [`DELETE ${prefix}/orders`, 405, 'GET, HEAD, OPTIONS'],
      [`OPTIONS ${prefix}/orders`, 204, 'GET, HEAD, OPTIONS'],
      ['GET /nowhere', 404, undefined],
      [`GET ${prefix}/nowhere`, 404, undefined],
      [`GET ${prefix}/orders/`, 404, undefined],
      [`GET ${prefix}/ORDERS`, 404, undefined],
      [`GET ${prefix}/orders/%zz`, 400, undefined],
      [`GET ${prefix}//orders`, 404, undefined],
      ['GET /native/broken', 500, undefined],
    ])('when %s comes, it gets %i', async (line, status, allow) => {
      const reply = await ask(app.url, line)
      expect(reply.status).toBe(status)
      expect(headerOf(reply, 'allow')).toBe(allow)
      if (status >= 400) expect(headerOf(reply, 'content-type')).toBe('application/problem+json; charset=utf-8')
    })

    // Only a mount path can be almost right.
    const almost = prefix === '' ? [] : [`${prefix.toUpperCase()}/orders`, `${prefix}orders`, '/orders']
    test.each(almost)('when %s comes, it is another path', async (path) => {
      expect((await ask(app.url, `GET ${path}`)).status).toBe(404)
    })

    test.each([`GET ${prefix}/orders`, `GET ${prefix}/mixed`, 'GET /nowhere', 'GET /native/broken'])(
      'when %s was served, there is one line of it',
      async (line) => {
        const reply = await ask(app.url, line)
        const lines = (): unknown[] => log.records.filter(({ message }) => message === 'request')
        await expect.poll(lines).toHaveLength(1)
        expect(lines()[0]).toMatchObject({
          fields: { status: reply.status, requestId: headerOf(reply, 'x-request-id') },
        })
      },
    )
  })
})
