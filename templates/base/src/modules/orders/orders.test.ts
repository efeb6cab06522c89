import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Answer, startService, type TestCaller, type TestService } from '../../../test/support.ts'

let service: TestService
let admin: TestCaller
let buyer: TestCaller
let stranger: TestCaller
before(async () => {
  service = await startService()
  ;[admin, buyer, stranger] = await Promise.all([service.signIn('admin'), service.signIn(), service.signIn()])
})
after(() => service.stop())

let made = 0
async function createProduct({ stock = 10, priceCents = 1250 } = {}): Promise<string> {
  made += 1
  const product = { sku: `ORDER-${made}`, name: `brass cleat ${made}`, priceCents, stock }
  const { status, body } = await admin.call('POST', '/products', product)
  assert.equal(status, 201)
  return body.data.id
}

const stockOf = async (id: string): Promise<number> => (await service.call('GET', `/products/${id}`)).body.data.stock

/** Comes back when told to: where many want the same thing at once, some databases give up on all but one. */
async function insist(ask: () => Promise<Answer>): Promise<Answer> {
  for (let asked = 1; ; asked += 1) {
    const answer = await ask()
    if (answer.status !== 503 || asked === 20) return answer
  }
}

const order = (caller: TestCaller, ...items: readonly (readonly [productId: string, quantity: number])[]) => {
  const body = { items: items.map(([productId, quantity]) => ({ productId, quantity })) }
  return insist(() => caller.call('POST', '/orders', body))
}

async function placeOrder(...items: Parameters<typeof order>[1][]): Promise<any> {
  const { status, body } = await order(buyer, ...items)
  assert.equal(status, 201)
  return body.data
}

const cancel = (id: string, caller = buyer) => insist(() => caller.call('POST', `/orders/${id}/cancel`))
const ship = (id: string, caller = admin) => insist(() => caller.call('POST', `/orders/${id}/ship`))

const statusesOf = (answers: readonly Answer[]): number[] =>
  answers.map(({ status }) => status).toSorted((a, b) => a - b)

const times = (count: number, value: number): number[] => Array.from({ length: count }, () => value)

describe('given products for sale', () => {
  test('when some are ordered, the order says where it is and what it costs, and they are out of stock', async () => {
    const [cleat, rope] = [await createProduct(), await createProduct({ priceCents: 99 })]
    const { status, headers, body } = await order(buyer, [rope, 3], [cleat, 2])
    assert.equal(status, 201)
    assert.equal(headers.get('location'), `/orders/${body.data.id}`)
    assert.equal(body.data.status, 'placed')
    assert.equal(body.data.accountId, buyer.id)
    assert.equal(body.data.totalCents, 2 * 1250 + 3 * 99)
    const { lines } = body.data
    assert.deepEqual(
      lines.map((line: any) => [line.productId, line.quantity, line.priceCents]),
      [
        [rope, 3, 99],
        [cleat, 2, 1250],
      ],
    )
    for (const id of [body.data.id, body.data.id.toUpperCase()]) {
      assert.deepEqual((await buyer.call('GET', `/orders/${id}`)).body, body)
    }
    assert.deepEqual([await stockOf(cleat), await stockOf(rope)], [8, 7])
  })

  test('when a product changes later, the order stays as it was', async () => {
    const id = await createProduct()
    const placed = await placeOrder([id, 1])
    const { body } = await service.call('GET', `/products/${id}`)
    const change = { version: body.data.version, name: 'another name', priceCents: 1 }
    assert.equal((await admin.call('PATCH', `/products/${id}`, change)).status, 200)
    assert.deepEqual((await buyer.call('GET', `/orders/${placed.id}`)).body.data, placed)
  })

  test('when one of several has too little, it is named, and nothing is ordered', async () => {
    const [plenty, scarce] = [await createProduct(), await createProduct({ stock: 2 })]
    const listed = await buyer.call('GET', '/orders')
    const { status, body } = await order(buyer, [plenty, 1], [scarce, 3])
    assert.equal(status, 409)
    assert.equal(body.code, 'orders.out_of_stock')
    assert.match(body.detail, /Only 2 pieces of brass cleat \d+ are left/)
    assert.deepEqual(body.errors[0].path, ['items', 1])
    assert.deepEqual([await stockOf(plenty), await stockOf(scarce)], [10, 2])
    assert.deepEqual((await buyer.call('GET', '/orders')).body, listed.body)
  })

  test('when one of several is not for sale, it is named, and nothing is ordered', async () => {
    const [plenty, archived] = [await createProduct(), await createProduct()]
    await admin.call('POST', `/products/${archived}/archive`)
    const unknown = '01890000-0000-7000-8000-000000000000'
    for (const id of [archived, unknown]) {
      const { status, body } = await order(buyer, [plenty, 1], [id, 1])
      assert.equal(status, 409)
      assert.equal(body.code, 'orders.product_not_for_sale')
      assert.match(body.errors[0].message, new RegExp(id))
    }
    assert.deepEqual([await stockOf(plenty), await stockOf(archived)], [10, 10])
  })

  test('when 64 calls at once want one of 10 pieces, 10 get it', async () => {
    const id = await createProduct({ stock: 10 })
    const buyers = await Promise.all(Array.from({ length: 8 }, () => service.signIn()))
    const answers = await Promise.all(Array.from({ length: 64 }, (_, at) => order(buyers[at % 8] ?? buyer, [id, 1])))
    assert.deepEqual(statusesOf(answers), [...times(10, 201), ...times(54, 409)])
    assert.equal(await stockOf(id), 0)
    const lists = await Promise.all(buyers.map(({ call }) => call('GET', '/orders?limit=100')))
    assert.equal(lists.flatMap(({ body }) => body.data).length, 10)
  })

  test('when many order the same products in any order while others cancel, none is in the way of another', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => createProduct({ stock: 1000 })))
    const orderOfAll = (at: number) => {
      const turned = [...ids.slice(at % 5), ...ids.slice(0, at % 5)]
      return order(buyer, ...(at % 2 === 0 ? turned : turned.toReversed()).map((id) => [id, 1] as const))
    }
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const placed = await orderOfAll(at)
        return at % 4 === 0 ? await cancel(placed.body.data.id) : placed
      }),
    )
    assert.deepEqual(statusesOf(answers), [...times(10, 200), ...times(30, 201)])
    assert.deepEqual(await Promise.all(ids.map(stockOf)), times(5, 970))
  })

  const id = '01890000-0000-7000-8000-000000000000'
  for (const [flaw, items] of [
    ['no items', []],
    [
      'more than 50 items',
      Array.from({ length: 51 }, (_, at) => ({ productId: id.slice(0, -2) + (at + 10), quantity: 1 })),
    ],
    [
      'one product twice, in two spellings',
      ['0a', '0A'].map((end) => ({ productId: id.slice(0, -2) + end, quantity: 1 })),
    ],
    ['a price of its own choice', [{ productId: id, quantity: 1, priceCents: 1 }]],
    ['none of a product', [{ productId: id, quantity: 0 }]],
    ['less than none', [{ productId: id, quantity: -1 }]],
    ['half a piece', [{ productId: id, quantity: 0.5 }]],
    ['more than 100 pieces', [{ productId: id, quantity: 101 }]],
    ['no product', [{ productId: 'rope', quantity: 1 }]],
  ] as const) {
    test(`when an order has ${flaw}, the answer is 400`, async () => {
      const { status, body } = await buyer.call('POST', '/orders', { items })
      assert.deepEqual([status, body.code], [400, 'request.invalid'])
    })
  }

  test('when nobody signed in, the answer is 401', async () => {
    const calls = [
      'POST /orders',
      'GET /orders',
      `GET /orders/${id}`,
      `POST /orders/${id}/cancel`,
      `POST /orders/${id}/ship`,
    ]
    for (const call of calls) {
      const [method = '', path = ''] = call.split(' ')
      assert.equal((await service.call(method, path)).status, 401)
    }
  })
})

describe('given an order', () => {
  test('when a stranger asks for it, it looks like none, and an admin sees it', async () => {
    const placed = await placeOrder([await createProduct(), 1])
    const nowhere = placed.id.replace(/.{4}$/, '0000')
    for (const path of ['', '/cancel']) {
      const method = path === '' ? 'GET' : 'POST'
      const [theirs, none] = [
        await stranger.call(method, `/orders/${placed.id}${path}`),
        await stranger.call(method, `/orders/${nowhere}${path}`),
      ]
      assert.deepEqual([theirs.status, theirs.body.code], [404, 'orders.not_found'])
      assert.deepEqual([none.status, none.body.code], [404, 'orders.not_found'])
    }
    const seen = await admin.call('GET', `/orders/${placed.id}`)
    assert.deepEqual(seen.body.data, placed)
    assert.equal((await cancel(placed.id, admin)).status, 404)
    assert.deepEqual((await buyer.call('GET', `/orders/${placed.id}`)).body.data, placed)
  })

  test('when it is cancelled, its stock comes back once, however often that is asked', async () => {
    const [cleat, rope] = [await createProduct(), await createProduct()]
    const { id } = await placeOrder([cleat, 4], [rope, 1])
    await admin.call('POST', `/products/${rope}/archive`)
    const answers = await Promise.all(Array.from({ length: 6 }, () => cancel(id)))
    assert.deepEqual(statusesOf(answers), times(6, 200))
    for (const { body } of answers) assert.deepEqual(body, answers[0]?.body)
    assert.equal(answers[0]?.body.data.status, 'cancelled')
    assert.deepEqual([await stockOf(cleat), await stockOf(rope)], [10, 10])
    assert.equal((await ship(id)).body.code, 'orders.cancelled')
  })

  test('when it is shipped, it is shipped once and cancelled no more', async () => {
    const product = await createProduct()
    const { id } = await placeOrder([product, 4])
    assert.equal((await ship(id, buyer)).status, 403)
    const answers = await Promise.all(Array.from({ length: 6 }, () => ship(id)))
    assert.deepEqual(statusesOf(answers), [200, ...times(5, 409)])
    const refused = await cancel(id)
    assert.deepEqual([refused.status, refused.body.code], [409, 'orders.already_shipped'])
    assert.equal((await buyer.call('GET', `/orders/${id}`)).body.data.status, 'shipped')
    assert.equal(await stockOf(product), 6)
  })

  test('when it is cancelled and shipped at once, one of the two happens, every time', async () => {
    const product = await createProduct({ stock: 100 })
    const placed = await Promise.all(Array.from({ length: 12 }, () => placeOrder([product, 1])))
    let shipped = 0
    for (const { id } of placed) {
      const answers = await Promise.all([cancel(id), ship(id)])
      assert.deepEqual(statusesOf(answers), [200, 409])
      const { status } = (await buyer.call('GET', `/orders/${id}`)).body.data
      assert.equal(status, answers[0]?.status === 200 ? 'cancelled' : 'shipped')
      if (status === 'shipped') shipped += 1
    }
    assert.equal(await stockOf(product), 100 - shipped)
  })

  test('when somebody ships what never was, the answer is 404', async () => {
    assert.equal((await ship('01890000-0000-7000-8000-000000000000')).status, 404)
  })
})

describe('given more orders than fit a page', () => {
  test('when pages are read while orders arrive, each of mine comes once, newest first, and no other', async () => {
    const caller = await service.signIn()
    const product = await createProduct({ stock: 100 })
    const mine: string[] = []
    for (let at = 0; at < 5; at += 1) {
      mine.unshift((await order(caller, [product, 1])).body.data.id)
      await order(stranger, [product, 1])
    }
    const seen: string[] = []
    for (let cursor = ''; ; await order(caller, [product, 1])) {
      const { body } = await caller.call('GET', `/orders?limit=2${cursor}`)
      seen.push(...body.data.map(({ id }: { id: string }) => id))
      if (body.meta.page.nextCursor === null) break
      cursor = `&cursor=${body.meta.page.nextCursor}`
    }
    assert.deepEqual(seen, mine)
  })
})
