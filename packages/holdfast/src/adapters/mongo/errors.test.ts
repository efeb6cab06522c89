import mongoose from 'mongoose'
import { describe, expect, test } from 'vitest'
import { ConflictError } from '../../foundation/errors.ts'
import { isCommitOutcomeUnknown, isConnectionLoss, mayEndBetter, translateMongoError } from './errors.ts'

const { MongoBulkWriteError, MongoDriverError, MongoNetworkError, MongoServerError } = mongoose.mongo

/** As Node makes it when a connection breaks while the driver writes to it. */
const broken = (): Error => Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET', syscall: 'write' })
const inBulk = (cause: Error): Error => new MongoBulkWriteError(cause, {} as never)

describe('given a connection that broke', () => {
  const losses: Readonly<Record<string, Error>> = {
    'the driver says so': new MongoNetworkError('connection 3 closed'),
    'only Node says so': broken(),
    'it was under a bulk write': inBulk(new MongoNetworkError('connection 3 closed')),
    'it was under a bulk write and only Node says so': inBulk(broken()),
  }
  for (const [name, loss] of Object.entries(losses)) {
    test(`when ${name}, it is an outage`, () => {
      expect(translateMongoError(loss)).toMatchObject({ kind: 'unavailable', code: 'database.unavailable' })
    })
  }

  test('when only Node says so, a transaction that was not yet committed may be tried again', () => {
    expect([broken(), inBulk(broken())].map(isConnectionLoss)).toEqual([true, true])
    expect(mayEndBetter(broken()), 'says nothing of a commit').toBe(false)
  })

  test('when it was under a commit, nobody knows what became of that, whatever the driver makes of it', () => {
    const mistake = new TypeError('error.hasErrorLabel is not a function')
    for (const thrown of [broken(), new MongoNetworkError('closed'), mistake])
      expect(isCommitOutcomeUnknown(thrown)).toBe(true)
  })
})

describe('given errors of the driver itself', () => {
  test('when it waited too long for a connection or an answer, that is no defect', () => {
    const named = (name: string): Error =>
      Object.defineProperty(new MongoDriverError('too late'), 'name', { value: name })
    expect(translateMongoError(named('MongoWaitQueueTimeoutError'))).toMatchObject({ code: 'database.busy' })
    expect(translateMongoError(named('MongoOperationTimeoutError'))).toMatchObject({ code: 'database.timeout' })
    expect(translateMongoError(named('MongoServerSelectionError'))).toMatchObject({ code: 'database.unavailable' })
    const asked = named('MongoInvalidArgumentError')
    expect(translateMongoError(asked)).toBe(asked)
  })
})

describe('given an answer of the server to a commit', () => {
  const labelled = (code: number, ...errorLabels: string[]): Error =>
    new MongoServerError({ message: '', code, errorLabels })

  test('when it says that nothing was committed, that is known', () => {
    expect(isCommitOutcomeUnknown(labelled(251, 'TransientTransactionError'))).toBe(false)
    expect(mayEndBetter(labelled(251, 'TransientTransactionError'))).toBe(true)
    expect(isCommitOutcomeUnknown(labelled(13))).toBe(false)
  })

  test('when it was on its way out, or out of time, it is not', () => {
    for (const code of [91, 189, 11_600, 10_107, 50])
      expect(isCommitOutcomeUnknown(labelled(code)), String(code)).toBe(true)
    expect(isCommitOutcomeUnknown(labelled(64, 'UnknownTransactionCommitResult'))).toBe(true)
  })
})

describe('given things that are no errors of the driver', () => {
  test('when they are translated, they come back as they were', () => {
    const odd: readonly unknown[] = [
      undefined,
      null,
      'gone',
      { code: 11_000 },
      new Error('E11000 index: a dup key: {}'),
    ]
    for (const thrown of odd) expect(translateMongoError(thrown)).toBe(thrown)
    const frozen = Object.freeze(new MongoServerError({ message: 'x', code: 2 }))
    expect(translateMongoError(frozen)).toBe(frozen)
  })
})

describe('given a key that is taken', () => {
  const names: Readonly<Record<string, string>> = {
    'E11000 duplicate key error collection: shop.users index: users_email dup key: { email: "ann@example.org" }':
      'users_email',
    'E11000 duplicate key error collection: shop.users index: users_email collation: { locale: "en" } dup key: { email: "0x1" }':
      'users_email',
    'E11000 duplicate key error index: shop.users.$users_email dup key: { : "ann@example.org" }': 'users_email',
    'Plan executor error during findAndModify :: caused by :: E11000 duplicate key error collection: shop.users index: _id_ dup key: { _id: "x index: fake dup key" }':
      '_id_',
  }
  for (const [message, index] of Object.entries(names)) {
    test(`when the server says ${message.slice(0, 60)}…, the index ${index} is read and the key taken out`, () => {
      const thrown = new MongoServerError({ message, code: 11_000, keyValue: { email: 'ann@example.org' } })
      const taken = new ConflictError('users.email_taken', 'Taken.')
      expect(translateMongoError(thrown, { [index]: () => taken })).toBe(taken)
      expect(`${thrown.message} ${thrown.stack} ${JSON.stringify({ ...thrown })}`).not.toMatch(/ann@example|fake|0x1/)
      expect((thrown as { keyValue?: unknown }).keyValue).toEqual({ email: 'ann@example.org' })
    })
  }
})
