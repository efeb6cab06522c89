import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startService, type TestCaller, type TestService } from '../../../test/support.ts'

let service: TestService
let editor: TestCaller
before(async () => {
  service = await startService()
  editor = await service.signIn('editor')
})
after(() => service.stop())

let made = 0
async function createProduct(name = 'brass cleat') {
  made += 1
  const { status, body } = await editor.call('POST', '/products', { sku: `TEST-${made}`, name, priceCents: 1250 })
  assert.equal(status, 201)
  return body.data
}

describe('given an empty catalog', () => {
  test('when it is listed, the page is empty and the last', async () => {
    const { status, body } = await service.call('GET', '/products')
    assert.equal(status, 200)
    assert.deepEqual(body, { data: [], meta: { page: { nextCursor: null } } })
  })

  test('when a product is asked for that never was, the answer is 404', async () => {
    const { status, body } = await service.call('GET', '/products/01890000-0000-7000-8000-000000000000')
    assert.equal(status, 404)
    assert.equal(body.code, 'catalog.product_not_found')
  })
})

describe('given a new product', () => {
  test('when it is created, the answer says where it is, and it is there', async () => {
    const { status, headers, body } = await editor.call('POST', '/products', {
      sku: 'ROPE-20M',
      name: ' Tarred rope ',
      priceCents: 4999,
    })
    assert.equal(status, 201)
    assert.equal(headers.get('location'), `/products/${body.data.id}`)
    const found = await service.call('GET', `/products/${body.data.id}`)
    assert.deepEqual(found.body.data, body.data)
    assert.equal(found.body.data.name, 'Tarred rope')
    assert.equal(found.body.data.version, 1)
  })

  test('when its name has as many characters as may be, it is taken, whatever they are, and with one more it is not', async () => {
    for (const character of ['n', 'ü', '😀']) {
      assert.equal((await createProduct(character.repeat(200))).name, character.repeat(200))
      const name = character.repeat(201)
      const { status } = await editor.call('POST', '/products', { sku: 'LONG', name, priceCents: 1 })
      assert.equal(status, 400)
    }
  })

  test('when its SKU is taken, the answer is 409', async () => {
    const { sku } = await createProduct()
    const { status, body } = await editor.call('POST', '/products', { sku, name: 'copy', priceCents: 1 })
    assert.equal(status, 409)
    assert.equal(body.code, 'catalog.sku_taken')
  })

  test('when it breaks rules, the answer names each of them', async () => {
    const { status, body } = await editor.call('POST', '/products', { sku: 'lower case', name: '', priceCents: 1.5 })
    assert.equal(status, 400)
    const paths = body.errors.map((fault: { path: string[] }) => fault.path.at(-1))
    assert.deepEqual(paths, ['sku', 'name', 'priceCents'])
  })

  test('when it brings a field nobody asked for, the answer is 400', async () => {
    const product = { sku: 'EXTRA-1', name: 'extra', priceCents: 1, status: 'archived' }
    const { status } = await editor.call('POST', '/products', product)
    assert.equal(status, 400)
  })
})

describe('given a product', () => {
  test('when it is changed, only what was sent changes, and the version grows', async () => {
    const product = await createProduct()
    const { status, body } = await editor.call('PATCH', `/products/${product.id}`, { version: 1, priceCents: 990 })
    assert.equal(status, 200)
    assert.deepEqual({ ...body.data, updatedAt: product.updatedAt }, { ...product, priceCents: 990, version: 2 })
  })

  test('when two callers change the same version, the second one is told', async () => {
    const { id } = await createProduct()
    const answers = await Promise.all(
      ['first', 'second'].map((name) => editor.call('PATCH', `/products/${id}`, { version: 1, name })),
    )
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    const refused = answers.find(({ status }) => status === 409)
    assert.equal(refused?.body.code, 'catalog.version_conflict')
  })

  test('when a change changes nothing, the answer is 400', async () => {
    const { id } = await createProduct()
    const { status } = await editor.call('PATCH', `/products/${id}`, { version: 1 })
    assert.equal(status, 400)
  })

  test('when it is archived twice, both answers are the same', async () => {
    const { id } = await createProduct()
    const first = await editor.call('POST', `/products/${id}/archive`)
    const second = await editor.call('POST', `/products/${id}/archive`)
    assert.equal(first.status, 200)
    assert.equal(first.body.data.status, 'archived')
    assert.deepEqual(second.body, first.body)
  })

  test('when it is archived, it does not change any more', async () => {
    const { id } = await createProduct()
    await editor.call('POST', `/products/${id}/archive`)
    const { status, body } = await editor.call('PATCH', `/products/${id}`, { version: 2, name: 'late' })
    assert.equal(status, 409)
    assert.equal(body.code, 'catalog.product_archived')
  })
})

describe('given callers who may only look', () => {
  const changes = ['POST /products', 'PATCH /products/:id', 'POST /products/:id/archive']
  for (const change of changes) {
    test(`when they try ${change}, nobody is answered 401, and whoever has no role for it 403`, async () => {
      const { id } = await createProduct()
      const [method = '', path = ''] = change.replace(':id', id).split(' ')
      const reader = await service.signIn()
      // Refused before the body is read, so that there is none to speak of.
      assert.equal((await service.call(method, path)).status, 401)
      assert.equal((await reader.call(method, path)).status, 403)
      assert.equal((await service.call('GET', `/products/${id}`)).body.data.version, 1)
    })
  }
})

describe('given more products than fit a page', () => {
  async function readAll(query: string, beforeNextPage: () => Promise<unknown> = async () => {}) {
    const ids: string[] = []
    for (let cursor = ''; ; await beforeNextPage()) {
      const { body } = await service.call('GET', `/products?limit=2${query}${cursor}`)
      ids.push(...body.data.map(({ id }: { id: string }) => id))
      if (body.meta.page.nextCursor === null) return ids
      cursor = `&cursor=${body.meta.page.nextCursor}`
    }
  }

  test('when pages are read while products arrive, each comes once, newest first', async () => {
    const earlier = await readAll('')
    const seen = await readAll('', () => createProduct('late arrival'))
    assert.deepEqual(seen, earlier)
    assert.deepEqual(seen, seen.toSorted().toReversed())
  })

  test('when a cursor has its id in capitals, the same page comes', async () => {
    const { data } = (await service.call('GET', '/products?limit=1')).body
    const pageAfter = async (id: string) => {
      const cursor = Buffer.from(id).toString('base64url')
      return (await service.call('GET', `/products?limit=2&cursor=${cursor}`)).body.data
    }
    const page = await pageAfter(data[0].id)
    assert.equal(page.length, 2)
    assert.deepEqual(await pageAfter(data[0].id.toUpperCase()), page)
  })

  test('when they are filtered by status, only those come', async () => {
    const { id } = await createProduct()
    await editor.call('POST', `/products/${id}/archive`)
    assert.ok((await readAll('&status=archived')).includes(id))
    assert.ok(!(await readAll('&status=active')).includes(id))
  })

  for (const query of ['limit=0', 'limit=101', 'limit=x', 'cursor=bm9uZQ', 'status=sold', 'order=asc']) {
    test(`when the query is ${query}, the answer is 400`, async () => {
      const { status } = await service.call('GET', `/products?${query}`)
      assert.equal(status, 400)
    })
  }
})
