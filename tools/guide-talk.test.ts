// Accident: the check of the guides passes whatever comes back, and nobody misses its failures.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readGuide } from './guide-page.ts'
import { proveTalk } from './guide-talk.ts'

const page = (talk: string): string =>
  `# A page\n\n\`\`\`ts\n// an-app.ts\napp.listen(0)\n\`\`\`\n\n\`\`\`http\n${talk}\n\`\`\`\n`

describe('given an app that gives a token and wants it back', () => {
  let server: Server
  let calls = 0
  beforeAll(async () => {
    server = createServer((request, response) => {
      calls += 1
      const isKnown = request.headers.authorization === 'Bearer s3cret+'
      response.writeHead(isKnown ? 200 : 401, { 'x-color': 'blue; a=1' })
      response.end(JSON.stringify({ token: 's3cret+', list: [1, 2], path: request.url }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => server.close())

  async function prove(talk: string): Promise<void> {
    const { talks } = readGuide('a-page.md', page(talk))
    const app = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const happen = (what: string): Promise<void> => Promise.reject(new Error(`Nobody knows how: ${what}`))
    for (const each of talks) await proveTalk('a-page', each, { app, issuer: undefined, happen })
  }

  test.each([
    'GET /\n→ 401\n→ x-color: blue; a=1\n→ x-color: …; a=1\n→ no set-cookie\n→ {"list":[1,2]}',
    'GET /\n→ {"token":"$token"}\n\n# Again.\nGET /\nAuthorization: Bearer $token\n→ 200\n→ {"token":"$token"}',
    'POST /a\n{"b":1}\n→ {"path":"/a"}',
  ])('when it answers as the page says, that is fine: %j', async (talk) => {
    await expect(prove(talk)).resolves.toBeUndefined()
  })

  test.each([
    ['GET /\n→ 200', 'a-page.md:9: GET / was to be answered with {"status":200}'],
    ['GET /\n→ x-color: blue', 'x-color'],
    ['GET /\n→ x-colour: …', 'x-colour'],
    ['GET /\n→ no x-color', 'x-color'],
    ['GET /\n→ {"list":[1]}', 'list'],
    ['GET /\n→ {"list":["1",2]}', 'list'],
    ['GET /\n→ {"none":null}', 'none'],
    ['GET /\n→ {"token":"s3cret."}', 's3cret.'],
    ['GET /\n→ {"token":"$one"}\nGET /\n→ {"path":"$one"}', '$one'],
    ['GET /$nothing\n→ 200', '$nothing stands in a request'],
    ['(The moon is full)\nGET /\n→ 401', 'Nobody knows how: The moon is full'],
  ])('when it answers otherwise, that is told: %j', async (talk, words) => {
    await expect(prove(talk)).rejects.toThrow(words)
  })

  test('when it is to be asked three times, it is', async () => {
    calls = 0
    await prove('GET / × 3\n→ 401')
    expect(calls).toBe(3)
  })
})

describe('given a page that can not be meant', () => {
  test.each([
    [page('GET /'), 'a-page.md:9: no answer is expected'],
    [page('GET /\n-> 200'), 'a-page.md:10: what does this mean? -> 200'],
    [page('→ 200'), 'a-page.md:9: what does this mean?'],
    ['```http\nGET /\n→ 200\n```\n', 'there is no example to talk to'],
    ['```ts\nconst a = 1\n```\n', 'an example begins with //'],
    ['```sql\nselect 1\n```\n', 'SQL begins with --'],
    ['```ts\n// an-app.ts\napp.listen(0)\n```\n', 'nothing is said to an-app.ts'],
  ])('when it is read, it is refused: %j', (text, words) => {
    expect(() => readGuide('a-page.md', text)).toThrow(words)
  })
})
