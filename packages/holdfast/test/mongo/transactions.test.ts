import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { actAs, currentCaller } from '../../src/core/context/acting.ts'
import { withScope } from '../../src/core/transactions/ambient.ts'
import { ConflictError } from '../../src/foundation/errors.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import { createMongo } from '../../src/entry/mongo.ts'
import { agreeable, endAll, endLater, except, openShop, productModel } from './shop.ts'
import {
  cut,
  failure,
  firstBatch,
  hang,
  startWireServer,
  type WireAnswer,
  type WireHandler,
  writeErrors,
} from './wire-server.ts'

afterEach(endAll)

const transient = { errorLabels: ['TransientTransactionError'] }
const writeConflict = failure(112, 'WriteConflict', transient)

/** Answers commands of that name by `answers`, one after another, and then agrees. */
function first(name: string, ...answers: readonly WireAnswer[]): WireHandler {
  const left = [...answers]
  return except((command) => (command.name === name ? left.shift() : undefined))
}

/** Answers commands of that name by `answer`, always. */
const always = (name: string, answer: WireAnswer): WireHandler =>
  except((command) => (command.name === name ? answer : undefined))

const sell = { $inc: { stock: -1 } }

describe('given a transaction inside of one of another database', () => {
  test('when it is in the way of somebody, it is not run again: what it did in the other would be done twice', async () => {
    const outer = await openShop()
    const { mongo, products } = await openShop(first('update', writeConflict))
    let runs = 0
    const both = outer.mongo.transaction(() =>
      mongo.transaction(async () => {
        runs += 1
        await outer.products.updateOne({}, sell)
        await products.updateOne({}, sell)
      }),
    )
    await expect(both).rejects.toMatchObject({ code: 'database.busy' })
    expect(runs).toBe(1)
    expect(outer.server.names()).toEqual(['update', 'abortTransaction'])
  })
})

describe('given something that is to be done after a commit', () => {
  test('when it was asked for while acting for somebody, it is done for them', async () => {
    const { mongo, products } = await openShop()
    const doneFor: unknown[] = []
    await actAs({ id: 'ann' }, () =>
      mongo.transaction(async () => {
        await products.updateOne({}, sell)
        actAs({ id: 'bob' }, () => mongo.afterCommit(() => void doneFor.push(currentCaller()?.id)))
      }),
    )
    expect(doneFor).toEqual(['bob'])
  })
})

describe('given somebody else in the way of a transaction', () => {
  test('when a write conflicts, all of it is undone and the work runs again in a transaction of its own', async () => {
    const { mongo, products, server } = await openShop(first('update', writeConflict))
    let runs = 0
    const left = await mongo.transaction(async () => {
      runs += 1
      await products.findOne({ _id: 'p1' })
      await products.updateOne({ _id: 'p1' }, sell)
      return 'sold'
    })
    expect({ left, runs }).toEqual({ left: 'sold', runs: 2 })
    expect(server.names()).toEqual(['find', 'update', 'abortTransaction', 'find', 'update', 'commitTransaction'])
    expect(server.commands.map(({ txnNumber }) => txnNumber)).toEqual([1, 1, 1, 2, 2, 2])
    const starts = server.commands.filter(({ startTransaction }) => startTransaction)
    expect(starts.map(({ name, txnNumber }) => `${name} ${txnNumber}`)).toEqual(['find 1', 'find 2'])
  })

  test('when the label is missing, code 112 says as much', async () => {
    const { mongo, products, server } = await openShop(first('update', failure(112, 'WriteConflict')))
    await mongo.transaction(() => products.updateOne({}, sell))
    expect(server.names()).toEqual(['update', 'abortTransaction', 'update', 'commitTransaction'])
  })

  test('when the commit itself conflicts, the work runs again', async () => {
    const { mongo, products, server } = await openShop(first('commitTransaction', writeConflict))
    await mongo.transaction(() => products.updateOne({}, sell))
    expect(server.names()).toEqual(['update', 'commitTransaction', 'update', 'commitTransaction'])
    expect(server.commands.at(-1)?.txnNumber).toBe(2)
  })

  test('when it never ends, it is tried as often as said and refused with a time to come back', async () => {
    const { mongo, products, server } = await openShop(always('update', writeConflict))
    const selling = mongo.transaction(() => products.updateOne({}, sell), { retries: 2 })
    await expect(selling).rejects.toMatchObject({ kind: 'unavailable', code: 'database.busy', retryAfterSeconds: 1 })
    expect(server.names()).toEqual([
      'update',
      'abortTransaction',
      'update',
      'abortTransaction',
      'update',
      'abortTransaction',
    ])
  })

  test('when the work catches the conflict and goes on, it runs again all the same', async () => {
    const { mongo, products, server } = await openShop(first('update', writeConflict))
    await mongo.transaction(async () => {
      await products.updateOne({}, sell).catch(() => {})
      await products.deleteOne({}).catch(() => {})
    })
    expect(server.names()).toEqual(['update', 'abortTransaction', 'update', 'delete', 'commitTransaction'])
  })
})

describe('given work that fails', () => {
  test('when it throws, everything is undone and the failure comes through', async () => {
    const { mongo, products, server } = await openShop()
    const failed = new Error('sold out')
    const selling = mongo.transaction(async () => {
      await products.updateOne({}, sell)
      throw failed
    })
    await expect(selling).rejects.toBe(failed)
    expect(server.names()).toEqual(['update', 'abortTransaction'])
    expect(server.commands[1]).toMatchObject({ txnNumber: 1, autocommit: false })
  })

  test('when it throws at once, the failure comes through and nothing was sent', async () => {
    const { mongo, server } = await openShop()
    const selling = mongo.transaction(() => {
      throw new ConflictError('shop.closed', 'We are closed.')
    })
    await expect(selling).rejects.toMatchObject({ code: 'shop.closed' })
    expect(server.names()).toEqual([])
  })

  test('when an operation failed and that was caught, nothing is committed', async () => {
    const clash = writeErrors({ code: 11_000, errmsg: 'E11000 duplicate key error', keyPattern: { sku: 1 } })
    const { mongo, products, server } = await openShop(first('insert', clash))
    const selling = mongo.transaction(async () => {
      await products.create({ _id: 'p2', sku: 'a' }).catch(() => {})
      await products.updateOne({}, sell).catch(() => {})
      return 'half done'
    })
    await expect(selling).rejects.toMatchObject({ kind: 'conflict', code: 'database.already_exists' })
    expect(server.names(), 'what follows is not even sent').toEqual(['insert', 'abortTransaction'])
  })

  test('when one of several at once fails, none of the others reaches the server after the undoing', async () => {
    const { mongo, products, server } = await openShop(first('update', failure(2, 'BadValue')))
    const selling = mongo.transaction(() =>
      Promise.all([products.updateOne({}, sell), products.deleteOne({}), products.find()]),
    )
    await expect(selling).rejects.toMatchObject({ name: 'MongoServerError', code: 2 })
    expect(server.names()).toEqual(['update', 'abortTransaction'])
  })

  test('when an operation is not waited for, it is a part of it all the same', async () => {
    const { mongo, products, server } = await openShop()
    await mongo.transaction(async () => {
      void products.deleteOne({ _id: 'p1' }).exec()
      void products.deleteOne({ _id: 'p2' }).exec()
    })
    expect(server.names()).toEqual(['delete', 'delete', 'commitTransaction'])
    expect(server.commands.map(({ txnNumber }) => txnNumber)).toEqual([1, 1, 1])
  })

  test('when something is asked after its end, it is an error and not a write beside it', async () => {
    const { mongo, products, server } = await openShop()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    let late: Promise<unknown> = Promise.resolve()
    let tooLate: Promise<unknown> = Promise.resolve()
    await mongo.transaction(async () => {
      await products.updateOne({}, sell)
      late = ended.then(() => products.deleteOne({}))
      late.catch(() => {})
      tooLate = ended.then(() => mongo.afterCommit(() => {}))
      tooLate.catch(() => {})
    })
    end()
    await expect(late).rejects.toThrow('A transaction was used after its end')
    await expect(tooLate).rejects.toThrow('A transaction was used after its end')
    expect(server.names()).toEqual(['update', 'commitTransaction'])
  })
})

describe('given a transaction inside of another one', () => {
  test('when both end well, they are one', async () => {
    const { mongo, products, server } = await openShop()
    await mongo.transaction(async () => {
      await products.updateOne({}, sell)
      await mongo.transaction(() => products.deleteOne({}))
    })
    expect(server.names()).toEqual(['update', 'delete', 'commitTransaction'])
  })

  test('when the inner one fails and that is caught, all of it is undone, because MongoDB cannot undo a part', async () => {
    const { mongo, products, server } = await openShop()
    const failed = new ConflictError('shop.sold_out', 'Sold out.')
    const selling = mongo.transaction(async () => {
      await products.updateOne({}, sell)
      await mongo
        .transaction(async () => {
          await products.deleteOne({})
          throw failed
        })
        .catch(() => {})
      return 'half done'
    })
    await expect(selling).rejects.toThrow('MongoDB cannot undo a part')
    await expect(selling).rejects.toMatchObject({ cause: failed })
    expect(server.names()).toEqual(['update', 'delete', 'abortTransaction'])
  })

  test('when the inner one fails and that comes through, it is what the outer one fails with', async () => {
    const { mongo } = await openShop()
    const failed = new ConflictError('shop.sold_out', 'Sold out.')
    const selling = mongo.transaction(() =>
      mongo.transaction(() => {
        throw failed
      }),
    )
    await expect(selling).rejects.toBe(failed)
  })

  test('when the inner one was in the way of others, the outer one runs again', async () => {
    const { mongo, products, server } = await openShop(first('update', writeConflict))
    await mongo.transaction(() => mongo.transaction(() => products.updateOne({}, sell)))
    expect(server.names()).toEqual(['update', 'abortTransaction', 'update', 'commitTransaction'])
  })

  test('when the inner one would write inside of one that only reads, it is refused', async () => {
    const { mongo } = await openShop()
    const work = mongo.transaction(() => mongo.transaction(async () => {}), { readOnly: true })
    await expect(work).rejects.toThrow('begun inside of one that is read only')
  })

  test('when something is written beside it, that is not undone with it', async () => {
    const { mongo, products, server } = await openShop()
    const selling = mongo.transaction(async () => {
      await products.updateOne({}, sell)
      await mongo.outsideTransaction(() => products.create({ _id: 'p9', sku: 'log' }))
      throw new Error('sold out')
    })
    await expect(selling).rejects.toThrow('sold out')
    expect(server.commands.map(({ name, autocommit }) => [name, autocommit])).toEqual([
      ['update', false],
      ['insert', undefined],
      ['abortTransaction', false],
    ])
  })

  test('when the outer one is of another database, it is no business of this one', async () => {
    const { mongo, products, server } = await openShop()
    await withScope({}, { noteOutboundCall: () => {} }, async () => await products.findOne({}))
    await mongo.transaction(async () => {})
    expect(server.commands.map(({ autocommit }) => autocommit)).toEqual([undefined])
  })
})

describe('given a server of no replica set', () => {
  test('when a transaction is begun, it says what is missing, and nothing of it runs; all else works', async () => {
    const server = await startWireServer(agreeable)
    endLater(() => server.close())
    server.standAlone()
    const mongo = createMongo({ url: server.url.replace(/\?.*/, '') })
    endLater(() => mongo.close())
    const products = productModel(mongo)
    let runs = 0
    const selling = mongo.transaction(async () => {
      runs += 1
      await products.updateOne({}, sell)
    })
    await expect(selling).rejects.toThrow(/no replica set.*--replSet/)
    await expect(mongo.execute(products.updateOne({}, sell))).resolves.toBe(1)
    expect({ runs, asked: server.names() }).toEqual({ runs: 0, asked: ['update'] })
  })
})

describe('given options', () => {
  test('when serializable is asked for, the answer says why there is no such thing', async () => {
    const { mongo } = await openShop()
    const work = mongo.transaction(async () => {}, { isolation: 'serializable' })
    await expect(work).rejects.toThrow(TypeError)
    await expect(work).rejects.toThrow('which MongoDB does not have')
  })

  test('when it is read only, reads pass and a write is refused before it is sent', async () => {
    const { mongo, products, server } = await openShop()
    const reading = mongo.transaction(
      async () => {
        await products.find()
        await products.updateOne({}, sell)
      },
      { readOnly: true },
    )
    await expect(reading).rejects.toThrow('read only was asked to write')
    expect(server.names()).toEqual(['find', 'abortTransaction'])
  })
})

describe('given a commit', () => {
  const unknown = { errorLabels: ['UnknownTransactionCommitResult'] }

  test('when its outcome is not known, it alone is sent again and the work is not', async () => {
    const answers = [
      failure(50, 'MaxTimeMSExpired', unknown),
      { ok: 1, writeConcernError: { code: 64, errmsg: 'late' } },
    ]
    const { mongo, products, server } = await openShop(first('commitTransaction', ...answers))
    let runs = 0
    await mongo.transaction(async () => {
      runs += 1
      await products.updateOne({}, sell)
    })
    expect(runs).toBe(1)
    expect(server.names()).toEqual(['update', 'commitTransaction', 'commitTransaction', 'commitTransaction'])
    expect(new Set(server.commands.map(({ txnNumber }) => txnNumber))).toEqual(new Set([1]))
  })

  test('when its answer is cut off, it alone is sent again', async () => {
    const { mongo, products, server } = await openShop(first('commitTransaction', cut))
    await mongo.transaction(() => products.updateOne({}, sell))
    expect(server.names()).toEqual(['update', 'commitTransaction', 'commitTransaction'])
  })

  test('when its answer never comes, it is sent again after a bounded wait', async () => {
    const options = { operationTimeoutMs: 100, socketTimeoutMs: 200 }
    const { mongo, products, server } = await openShop(first('commitTransaction', hang), options)
    await mongo.transaction(() => products.updateOne({}, sell))
    expect(server.names()).toEqual(['update', 'commitTransaction', 'commitTransaction'])
  })

  test('when nobody ever tells its outcome, the error says just that, and nothing is run or undone', async () => {
    const { mongo, products, server } = await openShop(
      always('commitTransaction', failure(50, 'MaxTimeMSExpired', unknown)),
    )
    let runs = 0
    const hooks: string[] = []
    const selling = mongo.transaction(async () => {
      runs += 1
      mongo.afterCommit(() => void hooks.push('committed'))
      await products.updateOne({}, sell)
    })
    await expect(selling).rejects.toMatchObject({ kind: 'unavailable', code: 'database.outcome_unknown' })
    expect({ runs, hooks }).toEqual({ runs: 1, hooks: [] })
    expect(server.names()).not.toContain('abortTransaction')
    expect(server.names().filter((name) => name === 'commitTransaction').length).toBeLessThanOrEqual(8)
  })

  test('when the network swallows every one of them, the wait is bounded and the outcome unknown', async () => {
    const options = { operationTimeoutMs: 100, socketTimeoutMs: 200 }
    const { mongo, products } = await openShop(always('commitTransaction', hang), options)
    const selling = mongo.transaction(() => products.updateOne({}, sell))
    await expect(selling).rejects.toMatchObject({ code: 'database.outcome_unknown' })
  })

  test('when the server says that it had given up on it, nothing was committed and the work runs again', async () => {
    const answers: WireAnswer[] = [cut, failure(251, 'NoSuchTransaction', transient)]
    const { mongo, products, server } = await openShop(first('commitTransaction', ...answers))
    await mongo.transaction(() => products.updateOne({}, sell))
    expect(server.names()).toEqual([
      'update',
      ...Array<string>(2).fill('commitTransaction'),
      'update',
      'commitTransaction',
    ])
  })

  test('when it is refused for good, so is the transaction', async () => {
    const { mongo, products, server } = await openShop(always('commitTransaction', failure(13, 'Unauthorized')))
    await expect(mongo.transaction(() => products.updateOne({}, sell))).rejects.toMatchObject({ code: 13 })
    expect(server.names()).toEqual(['update', 'commitTransaction'])
  })
})

describe('given a bad day of the network', () => {
  test('when the connection is cut inside of a transaction, the work runs again', async () => {
    const { mongo, products, server } = await openShop(first('update', cut))
    await mongo.transaction(async () => {
      await products.findOne({})
      await products.updateOne({}, sell)
    })
    expect(server.names().slice(-3)).toEqual(['find', 'update', 'commitTransaction'])
    expect(server.commands.at(-1)?.txnNumber).toBe(server.commands.at(-2)?.txnNumber)
  })

  test('when connections are cut under a bulk write, over and over, it is an outage and no riddle', async () => {
    const { mongo, products, server } = await openShop(always('insert', cut))
    const outage = { kind: 'unavailable', code: 'database.unavailable' }
    const product = { _id: 'p2', sku: 'b' }
    await expect(mongo.transaction(() => products.insertMany([product]), { retries: 1 })).rejects.toMatchObject(outage)
    expect(server.names().filter((name) => name === 'insert')).toHaveLength(2)
    await expect(products.insertMany([product])).rejects.toMatchObject(outage)
    server.stepDown()
    await expect(products.insertMany([product])).rejects.toMatchObject(outage)
    await expect(mongo.transaction(() => products.insertMany([product]))).rejects.toMatchObject(outage)
  })

  test('when the primary steps down inside of a transaction, the work runs again on the next one', async () => {
    let isFirst = true
    const { mongo, products, server } = await openShop(
      except((command, primary) => {
        if (command.name !== 'update' || !isFirst) return undefined
        isFirst = false
        primary.stepDown()
        setTimeout(() => primary.stepUp(), 20)
        return failure(189, 'PrimarySteppedDown', transient)
      }),
    )
    await mongo.transaction(() => products.updateOne({}, sell))
    expect(server.names().slice(-2)).toEqual(['update', 'commitTransaction'])
  })

  test('when there is no primary any more, it is looked for once and not for each attempt', async () => {
    const { mongo, products, server } = await openShop(agreeable, { serverSelectionTimeoutMs: 300 })
    await products.findOne({})
    server.stepDown()
    await expect(products.updateOne({}, sell)).rejects.toMatchObject({ code: 'database.unavailable' })
    let runs = 0
    const selling = mongo.transaction(async () => {
      runs += 1
      await products.updateOne({}, sell)
    })
    await expect(selling).rejects.toMatchObject({ code: 'database.unavailable' })
    expect(runs).toBe(1)
  })

  test('when no answer comes in time, it ends by its deadline, the connection is cut and the server told', async () => {
    const { mongo, products, server } = await openShop(first('update', hang))
    const selling = mongo.transaction(() => products.updateOne({}, sell), { timeoutMs: 150 })
    await expect(selling).rejects.toMatchObject({ kind: 'timeout', code: 'database.transaction_timeout' })
    await server.received('abortTransaction')
    expect(server.commands[0]?.body['maxTimeMS']).toBeLessThanOrEqual(150)
  })

  test('when the work itself never ends, the transaction does', async () => {
    const { mongo, products, server } = await openShop()
    const selling = mongo.transaction(
      async () => {
        await products.updateOne({}, sell)
        await new Promise(() => {})
      },
      { timeoutMs: 150 },
    )
    await expect(selling).rejects.toMatchObject({ code: 'database.transaction_timeout' })
    expect(server.names()).toEqual(['update', 'abortTransaction'])
  })

  test('when the undoing is not answered, nobody waits for it for long', async () => {
    const logger = createRecordingLogger()
    const { mongo, products } = await openShop(always('abortTransaction', hang), { logger })
    const selling = mongo.transaction(async () => {
      await products.updateOne({}, sell)
      throw new Error('sold out')
    })
    await expect(selling).rejects.toThrow('sold out')
    expect(logger.lines.map(({ message }) => message)).toContainEqual(expect.stringContaining('could not be undone'))
  })

  test('when transactions end in every way there is, none keeps a session or a connection', async () => {
    const odd: WireAnswer[] = [undefined, writeConflict, cut, undefined, failure(2, 'BadValue'), undefined]
    let turn = 0
    let isCalm = false
    const oddly: WireHandler = except(({ name }) => {
      if (isCalm || (name !== 'update' && name !== 'commitTransaction')) return undefined
      turn += 1
      return odd[turn % odd.length]
    })
    const { mongo, products, server } = await openShop(oddly, { maxConnections: 3 })
    const sales = Array.from({ length: 40 }, (_, sale) =>
      mongo.transaction(async () => {
        await products.updateOne({}, sell)
        if (sale % 7 === 0) throw new Error('changed my mind')
      }),
    )
    const ends = await Promise.allSettled(sales)
    expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['fulfilled', 'rejected']))
    const { total, idle, waiting } = mongo.stats()
    expect({ idle, waiting }).toEqual({ idle: total, waiting: 0 })
    isCalm = true
    const before = server.commands.length
    for (let sale = 0; sale < 5; sale += 1) await mongo.transaction(() => products.findOne({}))
    const later = server.commands.slice(before)
    expect(new Set(later.map(({ lsid }) => lsid)).size, 'one session serves them all').toBe(1)
  })
})

describe('given things to do after the commit', () => {
  test('when it is committed, they are done in order, outside of it', async () => {
    const { mongo, products, server } = await openShop()
    const done: string[] = []
    await mongo.transaction(async () => {
      mongo.afterCommit(() => void done.push(`first, after ${server.names().at(-1)}`))
      await mongo.transaction(async () => mongo.afterCommit(() => void done.push('second')))
      mongo.afterCommit(async () => {
        await products.findOne({})
        done.push('third')
      })
      await products.updateOne({}, sell)
    })
    expect(done).toEqual(['first, after commitTransaction', 'second', 'third'])
    expect(server.commands.at(-1)).toMatchObject({ name: 'find', autocommit: undefined })
  })

  test('when one fails, that is logged, the next is done and the commit stays', async () => {
    const logger = createRecordingLogger()
    const { mongo } = await openShop(agreeable, { logger })
    const done: string[] = []
    await mongo.transaction(async () => {
      mongo.afterCommit(() => {
        throw new Error('mail is down')
      })
      mongo.afterCommit(() => void done.push('next'))
    })
    expect(done).toEqual(['next'])
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { err: { message: 'mail is down' } } }])
  })

  test('when it is undone, or an attempt was, they are not done', async () => {
    const { mongo, products } = await openShop(first('update', writeConflict))
    let done = 0
    await mongo.transaction(async () => {
      mongo.afterCommit(() => void (done += 1))
      await products.updateOne({}, sell)
    })
    expect(done, 'once, for the second attempt').toBe(1)
    const failing = mongo.transaction(async () => {
      mongo.afterCommit(() => void (done += 1))
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(done).toBe(1)
  })

  test('when there is no transaction, they are done at once', async () => {
    const { mongo } = await openShop()
    let done = 0
    mongo.afterCommit(() => void (done += 1))
    await Promise.resolve()
    expect(done).toBe(1)
  })
})

describe('given a call to another service inside of a transaction', () => {
  async function callOut(): Promise<void> {
    const other = createServer((_, reply) => reply.end('ok'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    endLater(() => new Promise((resolve) => other.close(() => resolve())))
    const answer = await fetch(`http://127.0.0.1:${(other.address() as AddressInfo).port}`)
    await answer.text()
  }

  test('when calls are warned of, it is said once and committed', async () => {
    const logger = createRecordingLogger()
    const { mongo, server, products } = await openShop(agreeable, { logger })
    await mongo.transaction(async () => {
      await products.updateOne({}, sell)
      await callOut()
      await callOut()
    })
    expect(logger.lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('calls another service') }])
    expect(server.names().at(-1)).toBe('commitTransaction')
  })

  test('when calls are refused, all of it is undone', async () => {
    const { mongo, server, products } = await openShop(agreeable, { outboundCalls: 'refuse' })
    const work = mongo.transaction(async () => {
      await products.updateOne({}, sell)
      await callOut()
    })
    await expect(work).rejects.toThrow('so it is undone')
    expect(server.names()).toEqual(['update', 'abortTransaction'])
  })
})

describe('given a query that Mongoose sends when somebody waits for it', () => {
  test('when the work only returns it, it is a part of the transaction', async () => {
    const { mongo, products, server } = await openShop((command) => firstBatch(command, []))
    await mongo.transaction(() => products.find())
    expect(server.commands.map(({ autocommit }) => autocommit)).toEqual([false, false])
  })
})
