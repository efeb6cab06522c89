import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isolated } from '../../src/core/context/acting.ts'
import { type RequestContext, withRequest } from '../../src/core/context/request-context.ts'
import { createMongo, type MongoDatabase } from '../../src/entry/mongo.ts'
import { ConflictError } from '../../src/foundation/errors.ts'
import { silentLogger } from '../../src/foundation/logger.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import { freePort } from '../faults/free-port.ts'
import { agreeable, endAll, endLater, except, openShop, productModel } from './shop.ts'
import { cut, failure, firstBatch, hang, startWireServer, type WireAnswer, type WireHandler } from './wire-server.ts'

afterEach(endAll)

const sell = { $inc: { stock: -1 } }

function first(name: string, ...answers: readonly WireAnswer[]): WireHandler {
  const left = [...answers]
  return except((command) => (command.name === name ? left.shift() : undefined))
}

const always = (name: string, answer: WireAnswer): WireHandler =>
  except((command) => (command.name === name ? answer : undefined))

/** A request with `remainingMs` left, and a way for its client to leave. */
function request(remainingMs = 5000): { readonly context: RequestContext; readonly leave: () => void } {
  const client = new AbortController()
  const context: RequestContext = {
    requestId: 'r1',
    clientAddress: '192.0.2.1',
    principal: undefined,
    isolation: undefined,
    logger: silentLogger,
    signal: client.signal,
    traceparent: '',
    remainingMs: () => remainingMs,
  }
  return { context, leave: () => client.abort(new Error('The client has gone')) }
}

describe('given no server', () => {
  test('when something is asked, it fails after the bounded look for one, and works once there is one', async () => {
    const port = (await freePort()) ?? 0
    const mongo = createMongo({
      url: `mongodb://127.0.0.1:${port}/shop?replicaSet=rs0`,
      serverSelectionTimeoutMs: 300,
      connectTimeoutMs: 200,
    })
    endLater(() => mongo.close())
    const products = productModel(mongo)
    const refused = { kind: 'unavailable', code: 'database.unavailable', retryAfterSeconds: 2 }
    await expect(products.findOne({})).rejects.toMatchObject(refused)
    await expect(mongo.transaction(() => products.findOne({}))).rejects.toMatchObject(refused)
    await expect(mongo.check()).rejects.toMatchObject(refused)
    const server = await startWireServer(agreeable, port)
    endLater(() => server.close())
    await mongo.check()
    await expect(products.findOne({})).resolves.toMatchObject({ sku: 'a' })
  })

  test('when the client of a request leaves meanwhile, nobody waits on', async () => {
    const port = (await freePort()) ?? 0
    const mongo = createMongo({
      url: `mongodb://127.0.0.1:${port}/shop?replicaSet=rs0`,
      serverSelectionTimeoutMs: 5000,
    })
    endLater(() => mongo.close())
    const { context, leave } = request()
    const asked = withRequest(context, async () => await productModel(mongo).findOne({}), undefined)
    leave()
    await expect(asked).rejects.toThrow('The client has gone')
  })
})

describe('given an operation outside of any transaction', () => {
  test('when a connection is cut under a write, the driver sends it once more as the same write', async () => {
    const { products, server } = await openShop(first('update', cut))
    await products.updateOne({}, sell)
    expect(server.names()).toEqual(['update', 'update'])
    const [once, again] = server.commands
    expect([once?.txnNumber, once?.lsid]).toEqual([again?.txnNumber, again?.lsid])
  })

  test('when the primary steps down, the next one gets it', async () => {
    const { products, server } = await openShop(
      except((command, primary) => {
        if (command.name !== 'update' || primary.commands.length > 1) return undefined
        primary.stepDown()
        setTimeout(() => primary.stepUp(), 20)
        return failure(10_107, 'NotWritablePrimary', { errorLabels: ['RetryableWriteError'] })
      }),
    )
    await products.updateOne({}, sell)
    expect(server.names()).toEqual(['update', 'update'])
  })

  test('when there is no primary any more, it is refused with a time to come back', async () => {
    const { products, server } = await openShop(agreeable, { serverSelectionTimeoutMs: 300 })
    await products.findOne({})
    server.stepDown()
    const refused = { kind: 'unavailable', code: 'database.unavailable', retryAfterSeconds: 2 }
    await expect(products.updateOne({}, sell)).rejects.toMatchObject(refused)
  })

  test('when no answer comes, it ends after twice the wait for one', async () => {
    const options = { operationTimeoutMs: 50, socketTimeoutMs: 100 }
    const { products, server } = await openShop(always('find', hang), options)
    await expect(products.find()).rejects.toMatchObject({ kind: 'unavailable', code: 'database.unavailable' })
    expect(server.names()).toEqual(['find', 'find'])
  })

  test('when the deadline of the request is near, the server is told to be done by then', async () => {
    const { products, server } = await openShop()
    await withRequest(request(250).context, async () => await products.updateOne({}, sell), undefined)
    expect(server.commands[0]?.body['maxTimeMS']).toBe(250)
  })

  test('when it is said to have no limit, it has that of the pool', async () => {
    const { mongo, products, server } = await openShop()
    await products.find().maxTimeMS(0)
    await mongo.transaction(() => products.find().maxTimeMS(0), { timeoutMs: 20_000 })
    await products.find().maxTimeMS(70)
    const limits = server.commands.filter(({ name }) => name === 'find').map(({ body }) => body['maxTimeMS'])
    expect(limits).toEqual([10_000, 10_000, 70])
  })

  test('when many are asked for in one request, Node finds nothing to warn of', async () => {
    const { products } = await openShop()
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    endLater(async () => void process.off('warning', note))
    const many = async (): Promise<unknown> =>
      await Promise.all(Array.from({ length: 40 }, async () => await products.findOne({})))
    await withRequest(request().context, many, undefined)
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
  })

  test('when something is wanted that would act past all this, it is refused at once', async () => {
    const { products, server } = await openShop()
    expect(() => products.collection.watch()).toThrow('Models do not offer watch')
    await expect(products.listIndexes()).rejects.toThrow('Models do not offer listIndexes')
    expect(server.names()).toEqual([])
  })

  const doors = {
    find: async (mongo: MongoDatabase) => await productModel(mongo).find(),
    update: async (mongo: MongoDatabase) => await productModel(mongo).updateOne({}, sell),
    insert: async (mongo: MongoDatabase) => await mongo.insert(productModel(mongo), { _id: 'p2', sku: 'b' }),
    findAndModify: async (mongo: MongoDatabase) => await productModel(mongo).findOneAndUpdate({}, sell),
    aggregate: async (mongo: MongoDatabase) => await productModel(mongo).aggregate([{ $match: {} }]),
    distinct: async (mongo: MongoDatabase) => await productModel(mongo).distinct('sku'),
    delete: async (mongo: MongoDatabase) => await productModel(mongo).bulkWrite([{ deleteOne: { filter: {} } }]),
  }
  for (const [name, ask] of Object.entries(doors)) {
    test(`when the client of the request leaves during ${name}, it ends there and then and its connection is cut`, async () => {
      const { mongo, server } = await openShop(always(name, hang))
      await mongo.check()
      const { context, leave } = request()
      const asked = withRequest(context, async () => await thrownBy(async () => await ask(mongo)), undefined)
      const { connection } = await server.received(name)
      expect(server.connections()).toContain(connection)
      leave()
      expect(await asked).toMatchObject({ message: 'The client has gone' })
      await expect.poll(() => server.connections().includes(connection)).toBe(false)
      const { total, idle, waiting } = mongo.stats()
      expect({ idle, waiting }).toEqual({ idle: total, waiting: 0 })
    })
  }

  test('when it has to be written even so, a leaving client does not end it', async () => {
    const { promise: answer, resolve } = Promise.withResolvers<WireAnswer>()
    const { mongo, products, server } = await openShop(except(({ name }) => (name === 'insert' ? answer : undefined)))
    const { context, leave } = request()
    const asked = withRequest(
      context,
      () => mongo.insert(products, { _id: 'p2', sku: 'b' }, { signal: null }),
      undefined,
    )
    await server.received('insert')
    leave()
    resolve({ n: 1 })
    await expect(asked).resolves.toBe(1)
  })
})

describe('given answers that are errors', () => {
  const duplicate = {
    code: 11_000,
    codeName: 'DuplicateKey',
    errmsg:
      'E11000 duplicate key error collection: shop.products index: products_sku dup key: { sku: "ann@example.org" }',
    keyPattern: { sku: 1 },
    keyValue: { sku: 'ann@example.org' },
  }
  const inBatch = { ok: 1, n: 0, writeErrors: [{ index: 0, ...duplicate }] }
  const taken = { products_sku: (cause: unknown) => new ConflictError('catalog.sku_taken', 'Taken.', { cause }) }

  test('when a unique index is violated, that is a conflict, and the domain may say which', async () => {
    const { mongo, products } = await openShop(
      except(({ name }) => (name === 'insert' ? inBatch : failure(11_000, '', duplicate))),
    )
    const product = { _id: 'p2', sku: 'ann@example.org' }
    await expect(products.create(product)).rejects.toMatchObject({ kind: 'conflict', code: 'database.already_exists' })
    const sku = { kind: 'conflict', code: 'catalog.sku_taken' }
    await expect(mongo.insert(products, product, { constraints: taken })).rejects.toMatchObject(sku)
    await expect(mongo.insert(products, [product, product], { constraints: taken })).rejects.toMatchObject(sku)
    const update = products.findOneAndUpdate({ _id: 'p1' }, { sku: 'b' })
    await expect(mongo.maybeOne(update, toSku, { constraints: taken })).rejects.toMatchObject(sku)
    const saved = mongo.run(() => new products(product).save(), { constraints: taken })
    await expect(saved).rejects.toMatchObject(sku)
    await expect(mongo.insert(products, product, { constraints: {} })).rejects.toMatchObject({
      code: 'database.already_exists',
    })
  })

  test('when an error is logged, nothing that was stored or asked stands in the line', async () => {
    const { mongo, products } = await openShop(
      except(({ name }) =>
        name === 'insert' ? inBatch : failure(9, 'FailedToParse', { errmsg: 'no: { sku: "ann@example.org" }' }),
      ),
    )
    const product = { _id: 'p2', sku: 'ann@example.org' }
    const failures = [
      await thrownBy(() => products.create(product)),
      await thrownBy(() => products.insertMany([product, product])),
      await thrownBy(() => products.insertMany([product, product], { ordered: false })),
      await thrownBy(() => mongo.insert(products, product, { constraints: taken })),
      await thrownBy(() => products.updateOne({ sku: product.sku }, sell)),
      await thrownBy(() => mongo.insert(products, { ...product, stock: 'ann@example.org' as unknown as number })),
      await thrownBy(() => mongo.many(products.find({ stock: 'ann@example.org' as unknown as number }), toSku)),
      await thrownBy(() => mongo.insert(products, { ...product, nick: 'ann@example.org' } as never)),
    ]
    for (const failed of failures) {
      const written = JSON.stringify(inLog(failed))
      expect(written).not.toContain('ann@example.org')
      expect(written.length, 'it says something').toBeGreaterThan(20)
    }
  })

  const answers: Readonly<Record<string, { readonly answer: WireAnswer; readonly error: object }>> = {
    'code 50, out of time': {
      answer: failure(50, 'MaxTimeMSExpired'),
      error: { kind: 'timeout', code: 'database.timeout' },
    },
    'code 112, a write conflict': {
      answer: failure(112, 'WriteConflict'),
      error: { code: 'database.busy', retryAfterSeconds: 1 },
    },
    'code 91, shutting down': { answer: failure(91, 'ShutdownInProgress'), error: { code: 'database.unavailable' } },
    'code 11600, interrupted': {
      answer: failure(11_600, 'InterruptedAtShutdown'),
      error: { code: 'database.unavailable' },
    },
    'code 13435, not a primary': {
      answer: failure(13_435, 'NotPrimaryNoSecondaryOk'),
      error: { code: 'database.unavailable' },
    },
    'code 121, a document the server refuses': {
      answer: failure(121, 'DocumentValidationFailure', { errInfo: { failingDocumentId: 'ann' } }),
      error: { name: 'MongoServerError', code: 121 },
    },
    'code 13, no rights': { answer: failure(13, 'Unauthorized'), error: { name: 'MongoServerError', code: 13 } },
    'code 2, a wrong question': { answer: failure(2, 'BadValue'), error: { name: 'MongoServerError', code: 2 } },
    'a write that too few keep': {
      answer: { ok: 1, n: 1, writeConcernError: { code: 64, codeName: 'WriteConcernTimeout', errmsg: 'waiting' } },
      error: { code: 'database.unavailable' },
    },
  }
  for (const [name, { answer, error }] of Object.entries(answers)) {
    test(`when it is ${name}, it becomes what a service expects`, async () => {
      const { products } = await openShop(always('update', answer))
      await expect(products.updateOne({}, sell)).rejects.toMatchObject(error)
    })
  }

  test('when somebody else saved a document meanwhile, that is a conflict', async () => {
    const { mongo, products } = await openShop(always('update', { n: 0, nModified: 0 }))
    const saving = async (): Promise<void> => {
      const found = await products.findOne({ _id: 'p1' })
      if (found !== null) found.stock = 1
      await found?.save()
    }
    const changed = { kind: 'conflict', code: 'database.changed_meanwhile' }
    await expect(mongo.run(saving)).rejects.toMatchObject(changed)
    await expect(mongo.transaction(saving)).rejects.toMatchObject(changed)
  })
})

describe('given repositories that want plain items', () => {
  test('when documents are read, they come without Mongoose and leave as a mapper makes them', async () => {
    const { mongo, products } = await openShop()
    const seen: object[] = []
    const [sku] = await mongo.many(products.find(), (document: { sku: string }) => {
      seen.push(document)
      return document.sku
    })
    expect(sku).toBe('a')
    expect(Object.getPrototypeOf(seen[0])).toBe(Object.prototype)
    await expect(mongo.one(products.aggregate([{ $match: {} }]), toSku)).resolves.toBe('a')
    await expect(mongo.maybeOne(products.findOneAndUpdate({}, sell), toSku)).resolves.toBe('a')
    await expect(mongo.many(products.distinct('sku'), String)).resolves.toEqual(['a'])
  })

  test('when a document does not fit its schema, it is a defect that names the field, and no answer', async () => {
    const { mongo, products } = await openShop()
    const Product = z.object({ _id: z.string(), sku: z.number(), stock: z.number() })
    const reading = mongo.many(products.find(), Product)
    await expect(reading).rejects.toThrow(/^A document does not fit its schema. sku:/)
    await expect(reading).rejects.not.toHaveProperty('kind')
    await expect(mongo.one(products.find(), Product.omit({ sku: true }))).resolves.toEqual({ _id: 'p1', stock: 3 })
  })

  test('when there is none or more than one, it says so', async () => {
    const two = [{ _id: 'p1' }, { _id: 'p2' }]
    let documents: object[] = []
    const { mongo, products } = await openShop((command) =>
      command.name === 'find' ? firstBatch(command, documents as never) : { value: null },
    )
    await expect(mongo.maybeOne(products.findOne({}), toSku)).resolves.toBeUndefined()
    await expect(mongo.maybeOne(products.findOneAndUpdate({}, sell), toSku)).resolves.toBeUndefined()
    await expect(mongo.one(products.find(), toSku)).rejects.toThrow('0 documents where there has to be one')
    documents = two
    await expect(mongo.maybeOne(products.find(), toSku)).rejects.toThrow('2 documents where there may be one')
  })

  test('when something is changed, it tells how many documents it took hold of', async () => {
    const { mongo, products } = await openShop(({ name }) => (name === 'delete' ? { n: 2 } : { n: 3, nModified: 1 }))
    await expect(mongo.execute(products.updateMany({}, sell))).resolves.toBe(3)
    await expect(mongo.execute(products.deleteMany({}))).resolves.toBe(2)
    await expect(
      mongo.insert(products, [
        { _id: 'a', sku: 'a' },
        { _id: 'b', sku: 'b' },
      ]),
    ).resolves.toBe(2)
  })

  test('when a field is not in the schema, nothing is sent, at whatever depth and in filters too', async () => {
    const { products, server } = await openShop()
    const product = { _id: 'p2', sku: 'b' }
    const unknownField: object = { isAdmin: true }
    await expect(products.create({ ...product, ...unknownField })).rejects.toThrow('not in schema')
    await expect(products.create({ ...product, lines: [{ text: 'a', isAdmin: true }] } as never)).rejects.toThrow(
      /isAdmin/,
    )
    await expect(products.create({ ...product, box: { cm: 1, isAdmin: true } } as never)).rejects.toThrow(/isAdmin/)
    await expect(products.updateOne({}, { $set: unknownField })).rejects.toThrow('not in schema')
    await expect(products.deleteMany(unknownField)).rejects.toThrow('not in schema')
    expect(server.names()).toEqual([])
  })

  test('when a query is about to be sent, nothing else was: no indexes, no collections', async () => {
    const { products, server } = await openShop()
    await products.init()
    await products.findOne({})
    expect(server.names()).toEqual(['find'])
  })
})

describe('given workloads', () => {
  const workloads = { reporting: { maxConnections: 1, maxWaiting: 0, readPreference: 'secondaryPreferred' as const } }

  test('when a route belongs to one, its pool is asked, with the read preference of that', async () => {
    const { mongo, products, server } = await openShop(agreeable, { workloads })
    expect(mongo.workloads).toEqual(['interactive', 'reporting'])
    await products.findOne({})
    await isolated('reporting', async () => await products.findOne({}))
    const [own, other] = server.commands
    expect(own?.connection).not.toBe(other?.connection)
    expect(own?.body['$readPreference']).toBeUndefined()
    expect(other?.body['$readPreference']).toEqual({ mode: 'secondaryPreferred' })
    expect(mongo.stats()).toMatchObject({ total: 2, pools: { interactive: { total: 1 }, reporting: { total: 1 } } })
  })

  test('when one is full, it refuses at once, and the other goes on', async () => {
    const { promise: answer, resolve } = Promise.withResolvers<WireAnswer>()
    const { mongo, products, server } = await openShop(
      except((command) => (command.name === 'aggregate' ? answer : undefined)),
      { workloads },
    )
    const report = async (): Promise<unknown> =>
      await isolated('reporting', async () => await products.aggregate([{ $match: {} }]))
    const heavy = report()
    await server.received('aggregate')
    await expect(report()).rejects.toMatchObject({ kind: 'unavailable', code: 'database.busy', retryAfterSeconds: 1 })
    await products.findOne({})
    expect(mongo.stats().pools['reporting']).toEqual({ total: 1, idle: 0, waiting: 0 })
    resolve({ cursor: { id: 0, ns: 'shop.products', firstBatch: [] } })
    await heavy.catch(() => {})
    expect(mongo.stats().pools['reporting']).toEqual({ total: 1, idle: 1, waiting: 0 })
  })

  test('when a transaction belongs to one, it reads from the primary all the same', async () => {
    const { mongo, products, server } = await openShop(agreeable, { workloads })
    await isolated('reporting', () => mongo.transaction(() => products.findOne({})))
    expect(server.commands.map(({ name, body }) => [name, body['$readPreference']])).toEqual([
      ['find', undefined],
      ['commitTransaction', undefined],
    ])
  })

  test('when a route belongs to none of them, the own pool is asked', async () => {
    const { mongo, products } = await openShop(agreeable, { workloads })
    await isolated('exports', async () => await products.findOne({}))
    expect(mongo.stats().pools['interactive']?.total).toBe(1)
  })

  test('when the line does not move, waiting in it ends', async () => {
    const options = { maxConnections: 1, waitQueueTimeoutMs: 100 }
    const { products, server, mongo } = await openShop(always('find', hang), options)
    const { context, leave } = request()
    const holding = withRequest(context, async () => await products.find(), undefined)
    holding.catch(() => {})
    await server.received('find')
    await expect(products.updateOne({}, sell)).rejects.toMatchObject({ code: 'database.busy' })
    await expect(mongo.transaction(() => products.updateOne({}, sell))).rejects.toMatchObject({ code: 'database.busy' })
    leave()
    await expect(holding).rejects.toThrow('The client has gone')
    await products.updateOne({}, sell)
  })
})

describe('given a check of its health', () => {
  test('when every connection is taken, it is answered all the same', async () => {
    const { mongo, products, server } = await openShop(always('find', hang), { maxConnections: 1, closeTimeoutMs: 100 })
    products
      .find()
      .exec()
      .catch(() => {})
    await server.received('find')
    await mongo.check()
    expect(server.names()).toEqual(['find', 'ping'])
  })

  test('when no answer comes, it is over after its time', async () => {
    const { mongo } = await openShop(always('ping', hang), { checkTimeoutMs: 150 })
    await expect(mongo.check()).rejects.toMatchObject({ kind: 'unavailable', code: 'database.unavailable' })
  })

  test('when the caller has seen enough, it is over', async () => {
    const { mongo } = await openShop(always('ping', hang))
    await expect(mongo.check(AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  test('when there is no primary, it says so', async () => {
    const { mongo, server } = await openShop(agreeable, { serverSelectionTimeoutMs: 300 })
    server.stepDown()
    await expect(mongo.check()).rejects.toMatchObject({ code: 'database.unavailable' })
  })
})

describe('given a logger', () => {
  test('when a server is lost and found, that is said once each, and a client that leaves is no such loss', async () => {
    const logger = createRecordingLogger()
    const { products, server } = await openShop(first('find', hang), { logger })
    const { port } = server
    const { context, leave } = request()
    const asked = withRequest(context, async () => await products.find(), undefined)
    asked.catch(() => {})
    await server.received('find')
    leave()
    await expect(asked).rejects.toThrow('The client has gone')
    expect(logger.lines).toEqual([])
    await server.close()
    await expect.poll(() => logger.lines.map(({ level }) => level), { timeout: 5000 }).toEqual(['warn'])
    expect(logger.lines[0]?.fields).toMatchObject({ pool: 'interactive', address: `127.0.0.1:${port}` })
    const next = await startWireServer(agreeable, port)
    endLater(() => next.close())
    await expect.poll(() => logger.lines.map(({ level }) => level), { timeout: 5000 }).toEqual(['warn', 'info'])
    await products.updateOne({}, sell)
  })
})

describe('given a goodbye', () => {
  test('when something runs, it may end; what comes later is refused; then no connection is left', async () => {
    const { promise: answer, resolve } = Promise.withResolvers<WireAnswer>()
    const { mongo, products, server } = await openShop(except(({ name }) => (name === 'update' ? answer : undefined)))
    const selling = mongo.transaction(() => products.updateOne({}, sell))
    await server.received('update')
    const closing = mongo.close()
    expect(mongo.close()).toBe(closing)
    const late = { kind: 'unavailable', code: 'database.closed' }
    await expect(products.findOne({})).rejects.toMatchObject(late)
    await expect(mongo.transaction(() => products.findOne({}))).rejects.toMatchObject(late)
    await expect(mongo.check()).rejects.toMatchObject(late)
    resolve({ n: 1 })
    await selling
    await closing
    expect(server.names().at(-1)).toBe('commitTransaction')
    await expect.poll(() => server.openConnections).toBe(0)
    expect(mongo.stats()).toMatchObject({ total: 0, idle: 0, waiting: 0 })
  })

  test('when something hangs, it is cut off after its time', async () => {
    const logger = createRecordingLogger()
    const { mongo, products, server } = await openShop(always('find', hang), { closeTimeoutMs: 100, logger })
    const asked = thrownBy(async () => await products.find())
    await server.received('find')
    await mongo.close()
    expect(await asked).toMatchObject({ kind: 'unavailable' })
    expect(logger.lines.map(({ message }) => message)).toContain(
      'MongoDB operations took too long to end and were cut off',
    )
    await expect.poll(() => server.openConnections).toBe(0)
  })

  test('when nothing was ever asked, it is over at once', async () => {
    const { mongo, server } = await openShop()
    await mongo.close()
    expect(server.openConnections).toBe(0)
  })
})

const toSku = (document: { readonly sku: string }): string => document.sku

async function thrownBy(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
  } catch (thrown) {
    return thrown
  }
  throw new Error('It went well')
}

/** What a logger writes of an error: message, stack, cause and whatever is enumerable. */
function inLog(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inLog)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([name, member]) => [name, inLog(member)])
  if (!(value instanceof Error)) return Object.fromEntries(members)
  return { message: value.message, stack: value.stack, cause: inLog(value.cause), ...Object.fromEntries(members) }
}
