import { assertAccess } from 'holdfast/http'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AccountsController } from './accounts.controller.ts'
import { accountsRoutes } from './accounts.routes.ts'

describe('given the key of a machine, which speaks for whoever made it', () => {
  const machine = { id: 'owner', roles: [], permissions: ['catalog:write'], keyId: 'key' }
  const person = { id: 'owner', roles: [], permissions: [], sessionId: 'session' }
  const routes = accountsRoutes({} as AccountsController).filter(({ spec }) => spec.access !== 'public')
  const isLetIn = (access: Parameters<typeof assertAccess>[0], principal: typeof machine | typeof person) => {
    try {
      assertAccess(access, principal)
      return true
    } catch {
      return false
    }
  }

  for (const { method, path, spec } of routes) {
    test(`when it asks for ${method} ${path}, it is refused: its owner gave it a scope, and not the account`, () => {
      assert.equal(isLetIn(spec.access, machine), false)
    })
  }

  test('when its owner asks, the owner is let in', () => {
    const own = routes.filter(({ path }) => !path.startsWith('/accounts'))
    assert.ok(own.length >= 5)
    for (const { spec } of own) assert.equal(isLetIn(spec.access, person), true)
  })
})
