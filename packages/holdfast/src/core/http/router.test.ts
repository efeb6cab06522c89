import { describe, expect, test } from 'vitest'
import { Router } from './router.ts'

function routerOf(...rows: readonly string[]): Router<string> {
  const router = new Router<string>()
  for (const row of rows) {
    const [method = '', path = ''] = row.split(' ')
    router.add(method, path, row)
  }
  return router
}
const find = (router: Router<string>, path: string, method = 'GET'): readonly [string | undefined, ...string[]] => {
  const match = router.find(path.slice(1).split('/'))
  return [match?.entry.methods.get(method), ...(match?.values ?? [])]
}

describe('given a table with parameters', () => {
  const router = routerOf(
    'GET /',
    'GET /a',
    'GET /a/:id',
    'DELETE /a/:key',
    'GET /a/new',
    'GET /a/:id/b',
    'GET /:x/c',
    'GET /a/:id/:sub/d',
  )

  test.each([
    ['/', ['GET /']],
    ['/a', ['GET /a']],
    ['/a/7', ['GET /a/:id', '7']],
    ['/a/new', ['GET /a/new']],
    ['/a/new/b', ['GET /a/:id/b', 'new']],
    ['/a/c', ['GET /a/:id', 'c']],
    ['/z/c', ['GET /:x/c', 'z']],
    ['/a/1/2/d', ['GET /a/:id/:sub/d', '1', '2']],
    ['/a/', [undefined]],
    ['/a//b', [undefined]],
    ['//', [undefined]],
    ['/b', [undefined]],
    ['/a/1/2/3', [undefined]],
  ])('when %s is looked up, it is %j', (path, expected) => {
    expect(find(router, path)).toEqual(expected)
  })

  test('when methods of one path name its parameter differently, they share the path', () => {
    expect(find(router, '/a/7', 'DELETE')).toEqual(['DELETE /a/:key', '7'])
    expect(router.find(['a', '7'])?.entry.allow).toBe('DELETE, GET, HEAD, OPTIONS')
  })

  test('when a path has no parameters, it is found whole', () => {
    expect(router.findStatic('/a')?.entry.methods.get('GET')).toBe('GET /a')
    expect(router.findStatic('/a/:id')).toBeUndefined()
  })
})

describe('given two routes that no request could tell apart', () => {
  test('when the second is added, the table is refused', () => {
    expect(() => routerOf('GET /a/:id', 'GET /a/:slug')).toThrow('GET /a/:slug is in the table already')
  })
})
