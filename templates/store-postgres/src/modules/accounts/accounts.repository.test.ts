import { silentLogger } from 'holdfast/logging'
import { createDatabase, type Database } from 'holdfast/postgres'
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import pg from 'pg'
import { createDatabaseForTest } from '../../../test/database.ts'
import { untilBlocked } from '../../../test/until-blocked.ts'
import type { Role } from '../../platform/rights.ts'
import { createAccountRecords } from './accounts.module.ts'
import { createAccountsRepository } from './accounts.repository.ts'
import type { AccountChange } from './accounts.schema.ts'

let stored: Awaited<ReturnType<typeof createDatabaseForTest>>
let database: Database
/** Somebody else at the same database. */
let other: pg.Client
before(async () => {
  stored = await createDatabaseForTest()
  database = createDatabase({ url: stored.url })
  other = new pg.Client(stored.url)
  await other.connect()
})
beforeEach(() => other.query('delete from accounts'))
after(async () => {
  await database.close()
  await other.end()
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

describe('given two admins', () => {
  const demotions = [
    ['the first is demoted', `update accounts set roles = '{}' where email = 'first@example.com'`, 'second'],
    ['the second is disabled', `update accounts set disabled_at = now() where email = 'second@example.com'`, 'first'],
  ] as const
  for (const [words, statement, remaining] of demotions) {
    test(`when ${words} and the other gives up at the same time, the other stays`, async () => {
      const ids = {
        first: await insert('first@example.com', 'admin'),
        second: await insert('second@example.com', 'admin'),
      }
      await other.query('begin')
      await other.query(statement)
      const demoted = change(ids[remaining], { roles: [] })
      await untilBlocked(other)
      await other.query('commit')
      assert.equal(await demoted, undefined)
      const { rows } = await other.query(`select id from accounts where 'admin' = any (roles) and disabled_at is null`)
      assert.deepEqual(rows, [{ id: ids[remaining] }])
    })
  }

  test('when a change is refused, no event says it happened', async () => {
    const id = await insert('first@example.com', 'admin')
    assert.equal(await change(id, { disabled: true }), undefined)
    const { rows } = await other.query('select type from audit_events where account_id = $1', [id])
    assert.deepEqual(rows, [{ type: 'account.registered' }])
  })

  test('when an event can not be stored, there is no change', async () => {
    const id = await insert('first@example.com')
    const accounts = createAccountsRepository(database)
    await assert.rejects(accounts.change(id, { roles: ['admin'] }, [{ type: 'account.roles_changed' }, { type: '' }]))
    assert.deepEqual((await accounts.find(id))?.roles, [])
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
    await other.query(`update accounts set roles = '{constructor,owner}' where id = $1`, [id])
    assert.deepEqual(await findRights(id), { roles: [], permissions: [] })
  })

  for (const email of ['Upper@example.com', ' blank@example.com', 'cafe\u0301@example.com']) {
    test(`when somebody writes ${JSON.stringify(email)} past the service, the database refuses`, async () => {
      await assert.rejects(
        other.query(`insert into accounts (email, password_hash) values ($1, '$argon2id$')`, [email]),
        /accounts_email_form/,
      )
    })
  }
})
