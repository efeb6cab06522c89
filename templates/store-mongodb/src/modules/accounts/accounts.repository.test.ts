import { silentLogger } from 'holdfast/logging'
import { createMongo } from 'holdfast/mongo'
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { createDatabaseForTest } from '../../../test/database.ts'
import type { Database } from '../../platform/database.ts'
import type { Role } from '../../platform/rights.ts'
import { createAccountRecords } from './accounts.module.ts'
import { createAccountsRepository, openAccounts } from './accounts.repository.ts'
import type { AccountChange } from './accounts.schema.ts'
import { createAuditRepository } from './audit.repository.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
before(async () => {
  stored = await createDatabaseForTest()
  database = createMongo({ url: stored.url })
})
afterEach(() => database.execute(openAccounts(database).deleteMany({})))
after(async () => {
  await database.close()
  await stored.drop()
})

async function insert(email: string, ...roles: Role[]): Promise<string> {
  const accounts = createAccountsRepository(database)
  assert.ok(await accounts.insert({ email, passwordHash: '$argon2id$', roles }, { type: 'account.registered' }))
  const found = await accounts.findCredentials({ email })
  return found?.id ?? assert.fail('It was not stored')
}

const change = (id: string, wanted: AccountChange) =>
  createAccountsRepository(database).change(id, wanted, [{ type: 'account.changed' }])

const eventsOf = async (account: string): Promise<string[]> => {
  const events = await createAuditRepository(database).list({ account, limit: 100 })
  return events.map(({ type }) => type)
}

describe('given two admins', () => {
  const demotions: readonly (readonly [AccountChange, AccountChange])[] = [
    [{ roles: [] }, { roles: [] }],
    [{ roles: [] }, { disabled: true }],
    [{ disabled: true }, { disabled: true }],
  ]
  for (const [one, other] of demotions) {
    test(`when ${JSON.stringify(one)} and ${JSON.stringify(other)} happen to them at once, one admin stays`, async () => {
      const ids = [await insert('first@example.com', 'admin'), await insert('second@example.com', 'admin')] as const
      const changed = await Promise.all([change(ids[0], one), change(ids[1], other)])
      assert.equal(changed.filter((account) => account === undefined).length, 1)
      const all = await createAccountsRepository(database).list({ limit: 10 })
      assert.equal(all.filter(({ roles, isDisabled }) => roles.includes('admin') && !isDisabled).length, 1)
    })
  }

  test('when a change is refused, no event says it happened', async () => {
    const id = await insert('first@example.com', 'admin')
    assert.equal(await change(id, { disabled: true }), undefined)
    assert.deepEqual(await eventsOf(id), ['account.registered'])
  })

  test('when an event can not be stored, there is no change', async () => {
    const id = await insert('first@example.com')
    const accounts = createAccountsRepository(database)
    await assert.rejects(accounts.change(id, { roles: ['admin'] }, [{ type: 'account.roles_changed' }, { type: '' }]))
    assert.deepEqual((await accounts.find(id))?.roles, [])
    assert.deepEqual(await eventsOf(id), ['account.registered'])
  })
})

describe('given an account', () => {
  test('when it is disabled, it has no rights, and enabled again it has those of before', async () => {
    const { findRights } = createAccountRecords({ database, logger: silentLogger })
    const id = await insert('somebody@example.com', 'editor')
    assert.deepEqual(await findRights(id), { roles: ['editor'], permissions: ['catalog:write'] })
    await change(id, { disabled: true })
    assert.equal(await findRights(id), undefined)
    await change(id, { disabled: false })
    assert.deepEqual((await findRights(id))?.roles, ['editor'])
  })

  test('when it holds a role that the service does not know, the role gives it nothing', async () => {
    const { findRights } = createAccountRecords({ database, logger: silentLogger })
    const id = await insert('somebody@example.com', 'editor')
    await database.execute(openAccounts(database).updateOne({ _id: id }, { $set: { roles: ['constructor', 'owner'] } }))
    assert.deepEqual(await findRights(id), { roles: [], permissions: [] })
  })

  test('when its address is taken meanwhile, it is no second one, and no event tells of it', async () => {
    const id = await insert('somebody@example.com')
    const again = { email: 'somebody@example.com', passwordHash: '$argon2id$', roles: [] }
    const accounts = createAccountsRepository(database)
    assert.equal(await accounts.insert(again, { type: 'account.registered' }), false)
    assert.deepEqual(await eventsOf(id), ['account.registered'])
  })

  for (const email of ['Upper@example.com', ' blank@example.com', 'cafe\u0301@example.com']) {
    test(`when ${JSON.stringify(email)} gets past the service, its model refuses`, async () => {
      const account = { email, passwordHash: '$argon2id$', roles: [] }
      await assert.rejects(createAccountsRepository(database).insert(account, { type: 'account.registered' }), /email/)
    })
  }
})
