import { generateKey } from 'holdfast/auth'
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startService, type TestCaller, type TestService } from '../../../test/support.ts'

let service: TestService
let admin: TestCaller
before(async () => {
  service = await startService()
  admin = await service.signIn('admin')
})
after(() => service.stop())

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Events are written beside the answers, so they may come a moment later. */
async function eventOf(type: string, accountId: string | null) {
  for (const endsAt = performance.now() + 5000; performance.now() < endsAt; await pause(20)) {
    const query = accountId === null ? '' : `&account=${accountId}`
    const { body } = await admin.call('GET', `/accounts/audit?limit=100${query}`)
    const found = body.data.find((event: any) => event.type === type && event.accountId === accountId)
    if (found !== undefined) return found
  }
  assert.fail(`There is no event ${type} of ${accountId}`)
}

describe('given an address that nobody has', () => {
  test('when somebody registers it, they can sign in, however they write it', async () => {
    const registered = await service.call('POST', '/auth/register', {
      email: ' New.Person@Example.COM ',
      password: 'tarred rope',
    })
    assert.equal(registered.status, 202)
    for (const email of ['new.person@example.com', 'NEW.PERSON@example.com ']) {
      const { status, body } = await service.call('POST', '/auth/login', { email, password: 'tarred rope' })
      assert.equal(status, 200)
      assert.equal(body.data.tokenType, 'Bearer')
    }
  })

  test('when many register it at once, there is one account, and all are told the same', async () => {
    const passwords = ['tarred rope 1', 'tarred rope 2', 'tarred rope 3', 'tarred rope 4']
    const answers = await Promise.all(
      passwords.map((password) => service.call('POST', '/auth/register', { email: 'raced@example.com', password })),
    )
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]))
    const logins = await Promise.all(
      passwords.map((password) => service.call('POST', '/auth/login', { email: 'raced@example.com', password })),
    )
    assert.equal(logins.filter(({ status }) => status === 200).length, 1)
  })

  for (const [flaw, account] of [
    ['a short password', { email: 'a@example.com', password: 'seven77' }],
    ['a common password', { email: 'a@example.com', password: 'PassWord1' }],
    ['a password beyond 1024 bytes', { email: 'a@example.com', password: '€'.repeat(400) }],
    ['no address', { email: 'nobody', password: 'tarred rope' }],
    ['roles of its own choice', { email: 'a@example.com', password: 'tarred rope', roles: ['admin'] }],
  ] as const) {
    test(`when it comes with ${flaw}, the answer is 400`, async () => {
      assert.equal((await service.call('POST', '/auth/register', account)).status, 400)
    })
  }
})

describe('given an account', () => {
  test('when its address is registered again, the answer is the same and the password stays', async () => {
    const { email, password } = await service.createAccount()
    const again = await service.call('POST', '/auth/register', { email, password: 'somebody else 1' })
    const fresh = await service.call('POST', '/auth/register', { email: `new-${email}`, password: 'somebody else 1' })
    assert.deepEqual([again.status, again.body], [fresh.status, fresh.body])
    assert.equal((await service.call('POST', '/auth/login', { email, password: 'somebody else 1' })).status, 401)
    assert.equal((await service.call('POST', '/auth/login', { email, password })).status, 200)
  })

  test('when the password is wrong, the address unknown or the account disabled, the answers are alike', async () => {
    const { email } = await service.createAccount()
    const disabled = await service.signIn()
    await admin.call('PATCH', `/accounts/${disabled.id}`, { disabled: true })
    const answers = await Promise.all(
      [
        { email, password: 'not the one' },
        { email: 'nobody@example.com', password: 'not the one' },
        { email: disabled.email, password: disabled.password },
      ].map((credentials) => service.call('POST', '/auth/login', credentials)),
    )
    const shapes = answers.map(({ status, body }) => ({ ...body, status, requestId: '' }))
    assert.equal(shapes[0]?.status, 401)
    assert.equal(shapes[0]?.code, 'auth.login_failed')
    assert.deepEqual(shapes[1], shapes[0])
    assert.deepEqual(shapes[2], shapes[0])
  })

  test('when its owner signs in, the answer is kept by nobody and the event is on record', async () => {
    const caller = await service.signIn()
    const { headers } = await service.call('POST', '/auth/login', { email: caller.email, password: caller.password })
    assert.equal(headers.get('cache-control'), 'no-store')
    const event = await eventOf('login.succeeded', caller.id)
    assert.equal(event.clientAddress, '127.0.0.1')
    assert.match(event.requestId, /./)
    await eventOf('session.started', caller.id)
    await eventOf('account.registered', caller.id)
  })

  test('when a login fails, that is on record without what was typed', async () => {
    const caller = await service.signIn()
    await service.call('POST', '/auth/login', { email: caller.email, password: 'not the one' })
    await service.call('POST', '/auth/login', { email: 'canary@example.com', password: 'canary' })
    const events = [await eventOf('login.failed', caller.id), await eventOf('login.failed', null)]
    assert.doesNotMatch(JSON.stringify(events), /canary|not the one|somebody/)
  })

  test('when five logins have failed, the sixth is refused unseen, even with the right password', async () => {
    const { email, password } = await service.createAccount()
    const statuses = []
    for (let attempt = 0; attempt < 5; attempt++) {
      statuses.push((await service.call('POST', '/auth/login', { email, password: 'not the one' })).status)
    }
    assert.deepEqual(statuses, [401, 401, 401, 401, 401])
    const { status, headers } = await service.call('POST', '/auth/login', { email: email.toUpperCase(), password })
    assert.equal(status, 429)
    assert.match(String(headers.get('retry-after')), /^\d+$/)
  })
})

describe('given somebody who signed in', () => {
  test('when they ask who they are, they see no more than that', async () => {
    const caller = await service.signIn('editor')
    const { status, body } = await caller.call('GET', '/me')
    assert.equal(status, 200)
    assert.deepEqual(Object.keys(body.data).toSorted(), ['createdAt', 'email', 'id', 'permissions', 'roles'])
    assert.deepEqual([body.data.roles, body.data.permissions], [['editor'], ['catalog:write']])
  })

  test('when they show no token, or a broken one, the answer is 401', async () => {
    const { accessToken } = await service.signIn()
    assert.equal((await service.call('GET', '/me')).status, 401)
    for (const token of ['x', 'a.b.c', accessToken.slice(0, -4), `${accessToken}x`]) {
      assert.equal((await service.call('GET', '/me', undefined, bearer(token))).status, 401)
    }
  })

  test('when they refresh, the new token is good and the roles are those of now', async () => {
    const caller = await service.signIn()
    await admin.call('PATCH', `/accounts/${caller.id}`, { roles: ['editor'] })
    // The one from before says other roles than there are.
    assert.equal((await caller.call('GET', '/me')).status, 401)
    const { status, body } = await service.call('POST', '/auth/refresh', { refreshToken: caller.refreshToken })
    assert.equal(status, 200)
    assert.notEqual(body.data.refreshToken, caller.refreshToken)
    const me = await service.call('GET', '/me', undefined, bearer(body.data.accessToken))
    assert.deepEqual(me.body.data.roles, ['editor'])
  })

  test('when two tabs refresh at once, both go on with the same token', async () => {
    const { refreshToken } = await service.signIn()
    const answers = await Promise.all([1, 2].map(() => service.call('POST', '/auth/refresh', { refreshToken })))
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    )
    assert.equal(answers[0]?.body.data.refreshToken, answers[1]?.body.data.refreshToken)
  })

  for (const refreshToken of ['x', 'a.b.c', undefined]) {
    test(`when they refresh with ${refreshToken}, the answer is 401`, async () => {
      const { status, body } = await service.call('POST', '/auth/refresh', { refreshToken })
      assert.deepEqual([status, body.code], [401, 'auth.refresh_invalid'])
    })
  }

  test('when they log out, neither of their tokens is good any more', async () => {
    const caller = await service.signIn()
    const { refreshToken } = caller
    assert.equal((await service.call('POST', '/auth/logout', { refreshToken })).status, 204)
    assert.equal((await caller.call('GET', '/me')).status, 401)
    assert.equal((await service.call('POST', '/auth/refresh', { refreshToken })).status, 401)
    await eventOf('session.ended', caller.id)
  })

  test('when they log out again, or with what is no token of ours, there is nothing to complain about', async () => {
    const { refreshToken } = await service.signIn()
    for (const token of [refreshToken, refreshToken, 'x']) {
      assert.equal((await service.call('POST', '/auth/logout', { refreshToken: token })).status, 204)
    }
  })

  test('when they log out and name no session, they are not told that they are out', async () => {
    const caller = await service.signIn()
    const { status, body } = await caller.call('POST', '/auth/logout', {})
    assert.deepEqual([status, body.code], [400, 'auth.no_session_named'])
    assert.equal((await caller.call('GET', '/me')).status, 200)
  })

  test('when they log out everywhere, their other devices are out, and nobody else', async () => {
    const [caller, other] = [await service.signIn(), await service.signIn()]
    const second = await service.call('POST', '/auth/login', { email: caller.email, password: caller.password })
    assert.equal((await caller.call('POST', '/auth/logout-everywhere')).status, 204)
    assert.equal((await service.call('GET', '/me', undefined, bearer(second.body.data.accessToken))).status, 401)
    assert.equal((await other.call('GET', '/me')).status, 200)
  })

  test('when they look at their sessions, they can tell them apart and end one', async () => {
    const caller = await service.signIn()
    const { email, password } = caller
    const phone = await service.call('POST', '/auth/login', { email, password, device: 'a phone' })
    const { body } = await caller.call('GET', '/me/sessions')
    assert.equal(body.data.length, 2)
    assert.equal(body.data.filter(({ isCurrent }: any) => isCurrent).length, 1)
    const { id } = body.data.find(({ label }: any) => label === 'a phone')
    assert.equal((await caller.call('DELETE', `/me/sessions/${id.toUpperCase()}`)).status, 204)
    assert.equal((await service.call('GET', '/me', undefined, bearer(phone.body.data.accessToken))).status, 401)
    assert.equal((await caller.call('DELETE', `/me/sessions/${id}`)).status, 404)
  })

  test('when they name a session of somebody else, there is none', async () => {
    const [caller, other] = [await service.signIn(), await service.signIn()]
    const { body } = await other.call('GET', '/me/sessions')
    assert.equal((await caller.call('DELETE', `/me/sessions/${body.data[0].id}`)).status, 404)
    assert.equal((await other.call('GET', '/me')).status, 200)
  })
})

describe('given a new password', () => {
  test('when it is set, only it is good, and all other sessions have ended', async () => {
    const caller = await service.signIn()
    const { email, password } = caller
    const other = await service.call('POST', '/auth/login', { email, password })
    const change = { currentPassword: password, newPassword: 'a longer tarred rope' }
    assert.equal((await caller.call('POST', '/me/password', change)).status, 204)
    assert.equal((await caller.call('GET', '/me')).status, 200)
    assert.equal((await service.call('GET', '/me', undefined, bearer(other.body.data.accessToken))).status, 401)
    assert.equal((await service.call('POST', '/auth/login', { email, password })).status, 401)
    const again = await service.call('POST', '/auth/login', { email, password: 'a longer tarred rope' })
    assert.equal(again.status, 200)
    await eventOf('account.password_changed', caller.id)
  })

  test('when the current one is wrong, nothing changes; after five times nobody may try', async () => {
    const caller = await service.signIn()
    const statuses = []
    for (let attempt = 0; attempt < 6; attempt++) {
      const change = { currentPassword: 'not the one', newPassword: 'a longer tarred rope' }
      statuses.push((await caller.call('POST', '/me/password', change)).status)
    }
    assert.deepEqual(statuses, [403, 403, 403, 403, 403, 429])
    const { email, password } = caller
    assert.equal((await service.call('POST', '/auth/login', { email, password })).status, 200)
  })

  test('when two set one at once, one is told, and no session of the old one is left', async () => {
    const caller = await service.signIn()
    const { email, password } = caller
    const answers = await Promise.all([
      ...['first new rope', 'second new rope'].map((newPassword) =>
        caller.call('POST', '/me/password', { currentPassword: password, newPassword }),
      ),
      ...[1, 2, 3].map(() => service.call('POST', '/auth/login', { email, password })),
    ])
    assert.equal(answers.filter(({ status }) => status === 204).length, 1)
    for (const { body } of answers.slice(2).filter(({ status }) => status === 200)) {
      const { status } = await service.call('GET', '/me', undefined, bearer(body.data.accessToken))
      assert.equal(status, 401)
    }
    assert.equal((await caller.call('GET', '/me')).status, 200)
  })
})

describe('given a browser', () => {
  const cookieOf = (headers: Headers) => String(headers.get('set-cookie')).split(';')[0] ?? ''
  const signIn = async () => {
    const { email, password } = await service.createAccount()
    return service.call('POST', '/auth/login', { email, password, mode: 'browser' })
  }

  test('when it signs in, its refresh token is in a cookie and nowhere else', async () => {
    const { body, headers } = await signIn()
    assert.equal('refreshToken' in body.data, false)
    assert.match(
      String(headers.get('set-cookie')),
      /^__Host-refresh=[^;]+; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d+$/,
    )
  })

  test('when a page of ours refreshes, it gets a new cookie; a page of somebody else gets nothing', async () => {
    const cookie = cookieOf((await signIn()).headers)
    const own = await service.call('POST', '/auth/refresh', {}, { cookie, origin: service.url })
    assert.equal(own.status, 200)
    assert.equal('refreshToken' in own.body.data, false)
    const renewed = cookieOf(own.headers)
    assert.notEqual(renewed, cookie)
    for (const origin of ['https://evil.example', 'null']) {
      assert.equal((await service.call('POST', '/auth/refresh', {}, { cookie: renewed, origin })).status, 403)
    }
    assert.equal((await service.call('POST', '/auth/refresh', {}, { cookie: renewed })).status, 403)
  })

  test('when it logs out, it is told to forget the cookie', async () => {
    const signed = await signIn()
    const cookie = cookieOf(signed.headers)
    const logout = (origin: string) => service.call('POST', '/auth/logout', {}, { cookie, origin })
    assert.equal((await logout('https://evil.example')).status, 403)
    const { headers } = await logout(service.url)
    const { status } = await service.call('GET', '/me', undefined, bearer(signed.body.data.accessToken))
    assert.equal(status, 401)
    assert.match(String(headers.get('set-cookie')), /^__Host-refresh=; .*Max-Age=0$/)
  })
})

describe('given an admin', () => {
  test('when somebody else asks for what is theirs, the answer is 403', async () => {
    const editor = await service.signIn('editor')
    assert.equal((await editor.call('GET', '/accounts')).status, 403)
    assert.equal((await editor.call('GET', '/accounts/audit')).status, 403)
    assert.equal((await editor.call('PATCH', `/accounts/${editor.id}`, { roles: ['admin'] })).status, 403)
  })

  test('when they ask what happened to somebody, they may write the id in capitals', async () => {
    const { id } = await service.signIn()
    const { type, accountId } = await eventOf('login.succeeded', id)
    const { body } = await admin.call('GET', `/accounts/audit?account=${id.toUpperCase()}`)
    assert.ok(body.data.some((event: any) => event.type === type && event.accountId === accountId))
  })

  test('when they list accounts, each comes once, without its password', async () => {
    await service.createAccount()
    const seen: string[] = []
    for (let cursor = ''; ;) {
      const { body } = await admin.call('GET', `/accounts?limit=2${cursor}`)
      assert.doesNotMatch(JSON.stringify(body), /argon2|password/i)
      seen.push(...body.data.map(({ id }: any) => id))
      if (body.meta.page.nextCursor === null) break
      cursor = `&cursor=${body.meta.page.nextCursor}`
    }
    assert.equal(new Set(seen).size, seen.length)
    assert.ok(seen.includes(admin.id))
  })

  test('when they disable somebody, that one is out at once, everywhere, and back when enabled', async () => {
    const caller = await service.signIn()
    const disabled = await admin.call('PATCH', `/accounts/${caller.id}`, { disabled: true })
    assert.equal(disabled.body.data.isDisabled, true)
    assert.equal((await caller.call('GET', '/me')).status, 401)
    const { email, password, refreshToken } = caller
    assert.equal((await service.call('POST', '/auth/refresh', { refreshToken })).status, 401)
    const event = await eventOf('account.disabled', caller.id)
    assert.equal(event.actorId, admin.id)

    await admin.call('PATCH', `/accounts/${caller.id}`, { disabled: false })
    assert.equal((await service.call('POST', '/auth/login', { email, password })).status, 200)
  })

  test('when they write an id in capitals, as some clients do, it is the same account and the same sessions', async () => {
    const caller = await service.signIn('editor')
    const path = `/accounts/${caller.id.toUpperCase()}`
    assert.equal((await admin.call('PATCH', path, { roles: [] })).status, 200)
    assert.equal((await caller.call('GET', '/me')).body.code, 'auth.token_outdated')
    assert.equal((await admin.call('PATCH', path, { disabled: true })).status, 200)
    assert.equal((await caller.call('GET', '/me')).body.code, 'auth.session_ended')
  })

  test('when they change roles and more at once, each is on record under its own name', async () => {
    const caller = await service.signIn()
    await admin.call('PATCH', `/accounts/${caller.id}`, { disabled: false, roles: ['editor'] })
    assert.deepEqual((await eventOf('account.roles_changed', caller.id)).detail, { roles: ['editor'] })
    assert.deepEqual((await eventOf('account.enabled', caller.id)).detail, {})
  })

  test('when they change nobody, or nothing, or to roles there are not, they are told', async () => {
    const nobody = '/accounts/01890000-0000-7000-8000-000000000000'
    assert.equal((await admin.call('PATCH', nobody, { disabled: true })).status, 404)
    assert.equal((await admin.call('PATCH', `/accounts/${admin.id}`, {})).status, 400)
    assert.equal((await admin.call('PATCH', `/accounts/${admin.id}`, { roles: ['owner'] })).status, 400)
  })
})

describe('given the last admin', () => {
  test('when they would demote or disable themselves, they can not', async () => {
    for (const change of [{ roles: [] }, { disabled: true }, { roles: ['editor'], disabled: false }]) {
      const { status, body } = await admin.call('PATCH', `/accounts/${admin.id}`, change)
      assert.deepEqual([status, body.code], [409, 'accounts.last_admin'])
    }
    assert.equal((await admin.call('PATCH', `/accounts/${admin.id}`, { roles: ['admin', 'editor'] })).status, 200)
    const { refreshToken } = admin
    const { body } = await service.call('POST', '/auth/refresh', { refreshToken })
    admin = { ...admin, ...body.data, call: callAs(body.data.accessToken) }
  })

  const callAs =
    (token: string): TestCaller['call'] =>
    (method, path, body) =>
      service.call(method, path, body, bearer(token))

  test('when there are two and each demotes the other at once, one is left, every time', async () => {
    for (let round = 0; round < 10; round++) {
      const other = await service.signIn('admin')
      const [first, second] = round % 2 === 0 ? [admin, other] : [other, admin]
      const answers = await Promise.all([
        first.call('PATCH', `/accounts/${second.id}`, { roles: [] }),
        second.call('PATCH', `/accounts/${first.id}`, { disabled: true }),
      ])
      const done = answers.filter(({ status }) => status === 200)
      assert.equal(done.length, 1, JSON.stringify(answers.map(({ body }) => body)))
      const winner = answers[0]?.status === 200 ? first : second
      const { body } = await winner.call('GET', '/accounts?limit=100')
      const admins = body.data.filter((account: any) => account.roles.includes('admin') && !account.isDisabled)
      assert.deepEqual(
        admins.map(({ id }: any) => id),
        [winner.id],
      )
      admin = winner
    }
  })
})

describe('given two instances of the service', () => {
  const AUTH_KEYS = JSON.stringify({ keys: [generateKey()] })
  let one: TestService
  let two: TestService
  before(async () => {
    one = await startService({ AUTH_KEYS })
    two = await startService({ AUTH_KEYS }, one.database)
  })
  after(async () => {
    await two.stop()
    await one.stop()
  })

  test('when somebody logs out at one of them, the other hears of it', async () => {
    const { accessToken, refreshToken } = await one.signIn()
    const askTwo = async () => (await two.call('GET', '/me', undefined, bearer(accessToken))).status
    assert.equal(await askTwo(), 200)
    assert.equal((await one.call('POST', '/auth/logout', { refreshToken })).status, 204)
    for (const endsAt = performance.now() + 10_000; performance.now() < endsAt; await pause(20)) {
      if ((await askTwo()) === 401) return
    }
    assert.fail('It never did')
  })
})

describe('given a service with its limits', () => {
  test('when one address fails to log in too often, at whatever accounts, it has to wait', async () => {
    const strict = await startService({ LIMIT_LOGIN_FAILURES_PER_MINUTE: '3', LIMIT_REGISTRATIONS_PER_10_MINUTES: '2' })
    try {
      const statuses = []
      for (let guess = 0; guess < 4; guess++) {
        const credentials = { email: `guess-${guess}@example.com`, password: 'tarred rope' }
        statuses.push((await strict.call('POST', '/auth/login', credentials)).status)
      }
      assert.deepEqual(statuses, [401, 401, 401, 429])
      const registrations = []
      for (let at = 0; at < 3; at++) {
        const account = { email: `new-${at}@example.com`, password: 'tarred rope' }
        registrations.push((await strict.call('POST', '/auth/register', account)).status)
      }
      assert.deepEqual(registrations, [202, 202, 429])
    } finally {
      await strict.stop()
    }
  })

  test('when other services ask for our keys, they get the public halves', async () => {
    const { status, headers, body } = await service.call('GET', '/.well-known/jwks.json')
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'application/jwk-set+json')
    assert.equal(body.keys.length, 1)
    assert.equal('d' in body.keys[0], false)
  })
})
