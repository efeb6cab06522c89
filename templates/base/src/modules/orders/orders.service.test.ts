import { isAppError } from 'holdfast/errors'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CatalogService, Reservation } from '../catalog/catalog.module.ts'
import type { OrdersRepository } from './orders.repository.ts'
import type { Order } from './orders.schema.ts'
import { OrdersService } from './orders.service.ts'

const buyer = { id: 'buyer', roles: [], permissions: [], sessionId: 's' }
const stranger = { ...buyer, id: 'stranger' }
const reader = { ...stranger, permissions: ['orders:read'] }
const shipper = { ...stranger, permissions: ['orders:ship'] }
const wanted = [{ productId: 'p', quantity: 2 }]

/** The rules alone: what they ask of the parts around them, in order. */
function createRules({ stored, reservation = reserved(), attempts = 1 }: Options = {}) {
  const asked: string[] = []
  const placed = stored?.status === 'placed'
  const orders: OrdersRepository = {
    insert: async (order) => {
      asked.push(`insert ${order.totalCents} of ${order.accountId}`)
      return { ...template, ...order, lines: [...order.lines] }
    },
    find: async () => stored,
    list: async () => [],
    cancel: async (_, accountId) =>
      placed && accountId === stored.accountId ? { ...stored, status: 'cancelled' } : undefined,
    ship: async () => (placed ? { ...stored, status: 'shipped' } : undefined),
  }
  const catalog = {
    reserve: async () => {
      asked.push('reserve')
      return reservation
    },
    restock: async () => void asked.push('restock'),
  } as unknown as CatalogService
  const outbox = { add: async ({ topic }: { readonly topic: string }) => void asked.push(topic) }
  const transactions = {
    transaction: async <Result>(work: () => Promise<Result>): Promise<Result> => {
      for (let attempt = 1; attempt < attempts; attempt += 1) await work()
      asked.push('begin')
      const result = await work()
      asked.push('commit')
      return result
    },
    afterCommit: () => {},
  }
  return { rules: new OrdersService({ orders, outbox, catalog, transactions }), asked }
}

interface Options {
  readonly stored?: Order
  readonly reservation?: Reservation
  readonly attempts?: number
}

const line = { productId: 'p', sku: 'ROPE', name: 'Tarred rope', priceCents: 4999, quantity: 2 }
const template: Order = {
  id: 'order',
  accountId: 'buyer',
  status: 'placed',
  totalCents: 9998,
  lines: [line],
  createdAt: '2026-01-31T00:00:00.000Z',
  updatedAt: '2026-01-31T00:00:00.000Z',
}
const reserved = (...more: (typeof line)[]): Reservation => ({ items: [line, ...more] })

const refuses = (work: Promise<unknown>, code: string) =>
  assert.rejects(work, (thrown) => isAppError(thrown) && thrown.code === code)

describe('given a new order', () => {
  test('when all of it is there, stock, order and event are one transaction', async () => {
    const { rules, asked } = createRules()
    await rules.place(buyer, wanted)
    assert.deepEqual(asked, ['begin', 'reserve', 'insert 9998 of buyer', 'orders.placed', 'commit'])
  })

  test('when the database has the work run again, it costs what it cost the first time', async () => {
    const { rules, asked } = createRules({ attempts: 3 })
    assert.equal((await rules.place(buyer, wanted)).totalCents, 9998)
    assert.equal(asked.filter((step) => step === 'insert 9998 of buyer').length, 3)
  })

  test('when it is as dear as can be, its total is exact', async () => {
    const dearest = { ...line, priceCents: 2_147_483_647, quantity: 100 }
    const { rules } = createRules({ reservation: { items: Array.from({ length: 50 }, () => dearest) } })
    assert.equal((await rules.place(buyer, wanted)).totalCents, 10_737_418_235_000)
  })

  test('when some is not for sale and some is too little, it says both, and the first goes before', async () => {
    const lacks = [
      { productId: 'p', product: { name: 'Tarred rope', stock: 1 } },
      { productId: 'q', product: undefined },
    ]
    const { rules, asked } = createRules({ reservation: { lacks } })
    const place = rules.place(buyer, [{ productId: 'q', quantity: 1 }, ...wanted])
    await assert.rejects(place, (thrown) => {
      assert.ok(isAppError(thrown))
      assert.deepEqual([thrown.kind, thrown.code], ['conflict', 'orders.product_not_for_sale'])
      assert.equal(thrown.message, 'Nothing was ordered. Product q is not for sale.')
      assert.deepEqual(
        thrown.issues?.map(({ path, code }) => [...path, code]),
        [
          ['items', 1, 'out_of_stock'],
          ['items', 0, 'product_not_for_sale'],
        ],
      )
      return true
    })
    assert.deepEqual(asked, ['begin', 'reserve'])
  })
})

describe('given an order of somebody', () => {
  for (const [who, caller, sees, ships] of [
    ['its owner', buyer, true, 'auth.forbidden'],
    ['a stranger', stranger, false, 'auth.forbidden'],
    ['whoever may read orders', reader, true, 'auth.forbidden'],
    ['whoever may ship', shipper, false, undefined],
    ['an admin in name only', { ...stranger, roles: ['admin'] }, false, 'auth.forbidden'],
  ] as const) {
    test(`when ${who} asks for it, it is ${sees ? 'seen' : 'not there'}, and ${ships ? 'not shipped' : 'shipped'}`, async () => {
      const { rules } = createRules({ stored: template })
      if (sees) assert.equal(await rules.find(caller, 'order'), template)
      else await refuses(rules.find(caller, 'order'), 'orders.not_found')
      if (ships === undefined) assert.equal((await rules.ship(caller, 'order')).status, 'shipped')
      else await refuses(rules.ship(caller, 'order'), ships)
    })
  }

  test('when anybody else cancels it, it is not there, and its stock stays out', async () => {
    for (const caller of [stranger, reader, shipper]) {
      const { rules, asked } = createRules({ stored: template })
      await refuses(rules.cancel(caller, 'order'), 'orders.not_found')
      assert.deepEqual(asked, ['begin'])
    }
  })

  for (const [status, cancelled, shipped] of [
    ['placed', 'restock', undefined],
    ['cancelled', undefined, 'orders.cancelled'],
    ['shipped', 'orders.already_shipped', 'orders.already_shipped'],
  ] as const) {
    test(`when it is ${status} and then cancelled or shipped, each state follows from no other`, async () => {
      const stored: Order = { ...template, status }
      const { rules, asked } = createRules({ stored })
      if (cancelled === 'orders.already_shipped') await refuses(rules.cancel(buyer, 'order'), cancelled)
      else assert.equal((await rules.cancel(buyer, 'order')).status, 'cancelled')
      assert.equal(asked.includes('restock'), cancelled === 'restock')
      if (shipped === undefined) assert.equal((await rules.ship(shipper, 'order')).status, 'shipped')
      else await refuses(rules.ship(shipper, 'order'), shipped)
    })
  }
})
