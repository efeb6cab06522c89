import type { Sessions, SignedIn } from 'holdfast/auth'
import { Secret } from 'holdfast/config'
import { UnauthorizedError } from 'holdfast/errors'
import { createRecordingLogger } from 'holdfast/testing'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AccountCredentials, AccountsRepository } from './accounts.repository.ts'
import { AccountsService } from './accounts.service.ts'
import { Audit } from './audit.ts'

const signed = { accessToken: 'a', refreshToken: 'r', session: { id: 's' } } as SignedIn

/** The rules alone: what they ask of the parts around them, in order. */
function createRules({ stored, isOutdated = false, isAuditDown = false }: Options = {}) {
  const asked: string[] = []
  const logger = createRecordingLogger()
  let hash = stored
  const credentials = (): AccountCredentials | undefined =>
    hash === undefined ? undefined : { id: 'id', passwordHash: new Secret(hash), isDisabled: false }
  const accounts = {
    findCredentials: async () => credentials(),
    replaceHash: async (_: string, change: { from: string; to: string }) => {
      asked.push(`replace ${change.from} by ${change.to}`)
      return true
    },
    insert: async () => stored === undefined,
  } as unknown as AccountsRepository
  const hasher = {
    hash: async (password: string) => {
      asked.push('hash')
      return `hash of ${password}`
    },
    verify: async (against: string | undefined, password: string) => {
      asked.push('verify')
      return against === `hash of ${password}` || against === `old hash of ${password}`
    },
    needsRehash: () => isOutdated,
  }
  const sessions = {
    start: async () => {
      asked.push('start')
      return signed
    },
    end: async () => asked.push('end'),
    endAll: async (_: string, { except = 'none' } = {}) => asked.push(`end all but ${except}`),
  } as unknown as Sessions
  const insert = async ({ type }: { readonly type: string }) => {
    if (isAuditDown) throw new Error('no room on the disk')
    asked.push(type)
  }
  const audit = new Audit({ insert, list: async () => [] }, logger)
  const rules = new AccountsService({ accounts, audit, hasher, sessions, logger })
  return { rules, asked, logger, changeHash: (to: string) => (hash = to), sessions }
}

interface Options {
  readonly stored?: string
  readonly isOutdated?: boolean
  readonly isAuditDown?: boolean
}

const login = { email: 'somebody@example.com', password: 'rope', device: '' }

describe('given a login', () => {
  test('when nobody has the address, a password is verified all the same', async () => {
    const { rules, asked } = createRules()
    await assert.rejects(rules.signIn(login, {}), UnauthorizedError)
    assert.deepEqual(asked, ['verify', 'login.failed'])
  })

  test('when it is right, and its hash is outdated, the hash is made anew', async () => {
    const { rules, asked } = createRules({ stored: 'old hash of rope', isOutdated: true })
    assert.equal(await rules.signIn(login, {}), signed)
    assert.deepEqual(asked, ['verify', 'start', 'login.succeeded', 'hash', 'replace old hash of rope by hash of rope'])
  })

  test('when the password is changed while it is judged, its session ends before anybody hears of it', async () => {
    const { rules, asked, changeHash, sessions } = createRules({ stored: 'hash of rope' })
    sessions.start = async () => {
      changeHash('hash of a longer rope')
      return signed
    }
    await assert.rejects(rules.signIn(login, {}), UnauthorizedError)
    assert.deepEqual(asked, ['verify', 'verify', 'end'])
  })

  test('when another login makes its hash anew meanwhile, it is no other password', async () => {
    const { rules, changeHash, sessions } = createRules({ stored: 'old hash of rope' })
    sessions.start = async () => {
      changeHash('hash of rope')
      return signed
    }
    assert.equal(await rules.signIn(login, {}), signed)
  })

  test('when its event can not be stored, it counts all the same, and the log has the event', async () => {
    const { rules, logger } = createRules({ stored: 'hash of rope', isAuditDown: true })
    assert.equal(await rules.signIn(login, { requestId: 'r1' }), signed)
    const [line] = logger.lines
    assert.equal(line?.level, 'error')
    assert.match(JSON.stringify(line?.fields), /login\.succeeded.*r1|r1.*login\.succeeded/)
  })
})

describe('given a registration', () => {
  test('when the address is known, its password is hashed all the same', async () => {
    const [fresh, known] = [createRules(), createRules({ stored: 'hash of rope' })]
    for (const { rules } of [fresh, known]) await rules.register(login, {})
    assert.deepEqual(fresh.asked, ['hash'])
    assert.deepEqual(known.asked, ['hash', 'account.registration_repeated'])
  })
})

describe('given a new password', () => {
  const principal = { id: 'id', sessionId: 's', roles: [], permissions: [] }
  const change = { currentPassword: 'rope', newPassword: 'a longer rope' }

  test('when it is set, other sessions have ended before, and those that began meanwhile end after', async () => {
    const { rules, asked } = createRules({ stored: 'hash of rope' })
    await rules.changePassword(principal, change, {})
    const replaced = 'replace hash of rope by hash of a longer rope'
    assert.deepEqual(asked, ['verify', 'hash', 'end all but s', replaced, 'end all but s'])
  })

  test('when sessions can not be ended, the password stays, so that the same can be tried again', async () => {
    const { rules, asked, sessions } = createRules({ stored: 'hash of rope' })
    sessions.endAll = async () => Promise.reject(new Error('the database is gone'))
    await assert.rejects(rules.changePassword(principal, change, {}), /gone/)
    assert.deepEqual(asked, ['verify', 'hash'])
  })
})
