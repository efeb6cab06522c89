import { describe, expect, test } from 'vitest'
import { type MongoOptions, readMongoOptions } from './database-options.ts'

const url = 'mongodb://ann:s3cret@db.internal:27017/shop?replicaSet=rs0'

describe('given nothing but a URL', () => {
  test('when options are read, every wait has a limit', () => {
    const { pools, transactionTimeoutMs, closeTimeoutMs } = readMongoOptions({ url })
    expect(pools).toHaveLength(1)
    expect(pools[0]).toMatchObject({
      name: 'interactive',
      applicationName: 'holdfast',
      maxConnections: 10,
      maxWaiting: 1000,
      serverSelectionTimeoutMs: 3000,
      operationTimeoutMs: 10_000,
      socketTimeoutMs: 11_000,
      readPreference: 'primary',
    })
    expect({ transactionTimeoutMs, closeTimeoutMs }).toEqual({ transactionTimeoutMs: 8000, closeTimeoutMs: 5000 })
  })
})

describe('given workloads', () => {
  test('when one says nothing of a limit, it has that of the database', () => {
    const workloads = { reporting: { maxConnections: 2, operationTimeoutMs: 60_000 } }
    const { pools } = readMongoOptions({ url, serverSelectionTimeoutMs: 700, socketTimeoutMs: 20_000, workloads })
    expect(pools[1]).toMatchObject({
      name: 'reporting',
      applicationName: 'holdfast reporting',
      maxConnections: 2,
      serverSelectionTimeoutMs: 700,
      operationTimeoutMs: 60_000,
      socketTimeoutMs: 61_000,
    })
  })
})

describe('given options out of their bounds', () => {
  const wrong: Readonly<Record<string, [Partial<MongoOptions>, RegExp]>> = {
    'no connections': [{ maxConnections: 0 }, /^maxConnections is 0; it must be a whole number from 1 to 1000/],
    'a wait without a limit': [{ serverSelectionTimeoutMs: 0 }, /^serverSelectionTimeoutMs is 0/],
    'an operation without a limit': [{ operationTimeoutMs: Infinity }, /^operationTimeoutMs is Infinity/],
    'a wait for answers that is too short': [
      { operationTimeoutMs: 500, socketTimeoutMs: 500 },
      /^socketTimeoutMs \(500\) has to be above operationTimeoutMs \(500\)/,
    ],
    'an unknown read preference': [
      { readPreference: 'fastest' as never },
      /^readPreference is one of primary, .*received fastest/,
    ],
    'an unknown answer to calls': [{ outboundCalls: 'shout' as never }, /^outboundCalls is warn, refuse or allow/],
    'a workload with a bad name': [{ workloads: { 'a b': { maxConnections: 1 } } }, /received "a b"/],
    'a workload named as the own one': [{ workloads: { interactive: { maxConnections: 1 } } }, /not `interactive`/],
    'a workload with a bad limit': [
      { workloads: { reporting: { maxConnections: 5000 } } },
      /^workloads.reporting: maxConnections is 5000/,
    ],
  }
  for (const [name, [options, message]] of Object.entries(wrong)) {
    test(`when there is ${name}, the message shows it`, () => {
      expect(() => readMongoOptions({ url, ...options })).toThrow(message)
    })
  }
})

describe('given a URL', () => {
  const refused: Readonly<Record<string, [string, RegExp]>> = {
    'of another store': ['postgres://ann:s3cret@db/shop', /url starts with mongodb/],
    'without a database': ['mongodb://ann:s3cret@db:27017', /url names no database/],
    'with a slash and no database': ['mongodb://ann:s3cret@db:27017/?replicaSet=rs0', /url names no database/],
    'with a bad password': ['mongodb://ann:s3cr%et@db/shop', /url cannot be read/],
    'with an unknown parameter': ['mongodb://ann:s3cret@db/shop?replicaset=rs0&x=1', /url cannot be read/],
    'that sets a limit': [`${url}&socketTimeoutMS=0`, /url sets socketTimeoutMS/],
    'that asks for fewer to keep what is written': [`${url}&w=1`, /url sets w;/],
    'that switches retries off': [`${url}&retryWrites=false`, /url sets retryWrites/],
    'that is no text': [undefined as never, /url starts with mongodb/],
  }
  for (const [name, [wrong, message]] of Object.entries(refused)) {
    test(`when it is one ${name}, it is refused and its password not shown`, () => {
      const read = (): unknown => readMongoOptions({ url: wrong })
      expect(read).toThrow(TypeError)
      expect(read).toThrow(message)
      expect(read).not.toThrow(/s3cr/)
    })
  }

  const taken = {
    'as providers write it':
      'mongodb+srv://ann:s3cret@cluster0.example.net/shop?retryWrites=true&w=majority&appName=Cluster0',
    'with several hosts': 'mongodb://a:27017,b:27017,c:27017/shop?replicaSet=rs0&tls=true&authSource=admin',
  }
  for (const [name, right] of Object.entries(taken)) {
    test(`when it is one ${name}, it is taken`, () => {
      expect(readMongoOptions({ url: right }).pools[0].url).toBe(right)
    })
  }
})
