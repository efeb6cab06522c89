import { assertAccess } from 'holdfast/http'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { OrdersController } from './orders.controller.ts'
import { ordersRoutes } from './orders.routes.ts'

describe('given the key of a machine, which speaks for whoever made it', () => {
  const routes = ordersRoutes({} as OrdersController)
  const mayAsk = (...permissions: string[]): string[] => {
    const machine = { id: 'owner', roles: [], permissions, keyId: 'key' }
    const isLetIn = ({ spec }: (typeof routes)[number]) => {
      try {
        assertAccess(spec.access, machine)
        return true
      } catch {
        return false
      }
    }
    return routes.filter(isLetIn).map(({ method, path }) => `${method} ${path}`)
  }

  test('when its scope has nothing of orders, it may not even look at those of its owner', () => {
    assert.deepEqual(mayAsk('catalog:write'), [])
  })

  test('when its scope has what belongs to orders, it may that, and buys nothing', () => {
    assert.deepEqual(mayAsk('orders:read'), ['GET /orders/:id'])
    assert.deepEqual(mayAsk('orders:ship'), ['POST /orders/:id/ship'])
  })
})
