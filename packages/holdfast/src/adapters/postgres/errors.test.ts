import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { AppError, ConflictError, NotFoundError } from '../../foundation/errors.ts'
import { sessionSurvives, translateConnectError, translateError } from './errors.ts'

const secrets = { detail: 'Key (email)=(a@b.c)', table: 'accounts', schema: 'private', column: 'email' }

function fromServer(code: string, more: object = {}): Error {
  const message = `error in "select * from accounts" on db.internal`
  return Object.assign(new Error(message), { code, severity: 'ERROR', ...secrets, ...more })
}

describe('given an error of the server', () => {
  test.each([
    ['23505', 'conflict'],
    ['23P01', 'conflict'],
    ['23503', 'conflict'],
    ['23001', 'conflict'],
    ['57014', 'timeout'],
    ['25P03', 'timeout'],
    ['55P03', 'unavailable'],
    ['40001', 'unavailable'],
    ['40P01', 'unavailable'],
    ['53300', 'unavailable'],
    ['57P01', 'unavailable'],
    ['57P02', 'unavailable'],
    ['57P03', 'unavailable'],
    ['08006', 'unavailable'],
    ['28P01', 'unavailable'],
    ['22021', 'invalid'],
  ])('when its state is %s, the service sees kind %s and no internals', (state, kind) => {
    const thrown = fromServer(state)
    const translated = translateError(thrown) as AppError

    expect(translated).toBeInstanceOf(AppError)
    expect(translated.kind).toBe(kind)
    expect(translated.cause).toBe(thrown)
    expect(`${translated.message} ${translated.code}`).not.toMatch(/select|accounts|private|email|db\.internal|a@b/i)
    expect(translated.retryAfterSeconds).toEqual(kind === 'unavailable' ? expect.any(Number) : undefined)
  })

  test.each(['42601', '42P01', '22P02', '23514', '23502', 'XX000'])('when its state is %s, it is a defect', (state) => {
    const thrown = fromServer(state)

    expect(translateError(thrown)).toBe(thrown)
  })
})

describe('given an error that quotes the row it is about', () => {
  const values = {
    detail: 'Failing row contains (a@b.c, $argon2id$v=19$m=19456,t=2,p=1$salt$hash).',
    where: 'unnamed portal with parameters: $1 = a@b.c',
    internalQuery: "update accounts set email = 'a@b.c'",
  }

  test.each(['23514', '23502', '23505', '22P02', 'P0001'])(
    'when it is logged, state %s, it says which constraint but none of the values',
    (state) => {
      const thrown = fromServer(state, { ...values, constraint: 'accounts_email_form' })
      const translated = translateError(thrown)

      expect(JSON.stringify({ ...thrown })).not.toMatch(/a@b|argon2id/)
      expect(inspect(translated, { depth: 9 })).not.toMatch(/a@b|argon2id/)
      expect(JSON.stringify({ ...thrown })).toContain('accounts_email_form')
    },
  )

  test('when a constraint has a meaning, whoever gives it may look', () => {
    const thrown = fromServer('23514', { ...values, constraint: 'sizes' })
    const constraints = { sizes: (cause: unknown) => new ConflictError('a.b', (cause as { detail: string }).detail) }
    expect(translateError(thrown, constraints)).toMatchObject({ message: values.detail })
  })

  test('when it cannot be changed, it is translated all the same', () => {
    expect(translateError(Object.freeze(fromServer('23505')))).toMatchObject({ kind: 'conflict' })
  })
})

describe('given a lost or missing connection', () => {
  test.each([
    ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH'].map((code) =>
      Object.assign(new Error(`connect ${code} db.internal:5432`), { code }),
    ),
    new Error('timeout exceeded when trying to connect'),
    new Error('Connection terminated unexpectedly'),
    new Error('Query read timeout'),
    new AggregateError([], '') as Error,
  ])('when %s comes on the way to a connection, it is an outage', (thrown) => {
    expect(translateConnectError(thrown)).toMatchObject({ kind: 'unavailable', code: 'database.unavailable' })
  })

  test('when a system error has five letters, it is not taken for a state of the server', () => {
    expect(sessionSurvives(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))).toBe(false)
  })
})

describe('given constraints with a meaning', () => {
  const taken = new ConflictError('catalog.sku_taken', 'This SKU is taken.')
  const constraints = { products_sku_key: () => taken }

  test('when one of them is violated, its error is thrown', () => {
    expect(translateError(fromServer('23505', { constraint: 'products_sku_key' }), constraints)).toBe(taken)
  })

  test('when it is a check constraint, its error is thrown too', () => {
    expect(translateError(fromServer('23514', { constraint: 'products_sku_key' }), constraints)).toBe(taken)
  })

  test.each(['products_name_key', '__proto__', 'constructor', 'toString'])(
    'when %s is violated, the general error is thrown',
    (constraint) => {
      expect(translateError(fromServer('23505', { constraint }), constraints)).toMatchObject({
        code: 'database.already_exists',
      })
    },
  )
})

describe('given something thrown that nobody expects', () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const trapped = {
    get code(): string {
      throw new Error('trap')
    },
  }

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a text', '23505'],
    ['a number', 23505],
    ['a revoked proxy', revoked.proxy],
    ['a getter that throws', trapped],
    ['a code alone', { code: '23505' }],
    ['an error of the domain', new NotFoundError('a.b', 'c')],
  ])('when it is %s, it comes back as it was', (_, thrown) => {
    expect(translateError(thrown)).toBe(thrown)
  })
})
