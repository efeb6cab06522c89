import { z } from 'zod'
import { AppError, ServiceUnavailableError, type ErrorKind } from '../../src/foundation/errors.ts'

/** Stands in each thrown value, beside a query and a path, and may stand in no byte that leaves. */
export const canary = 'canary-7f3e'
const secret = `SELECT password FROM users WHERE token = '${canary}' -- /srv/shop/${canary}.ts:12:7`

export interface Thrown {
  readonly make: () => unknown
  /** The statuses it may be answered with. Default 500 alone. */
  readonly status?: readonly number[]
  /** The same where a framework's own handler throws it: the convention of http-errors, which Express's parts follow. */
  readonly nativeStatus?: readonly number[]
  /** Express reads it as "go on", so a handler of Express's own never throws it. */
  readonly isOrderToExpress?: boolean
}

const brand = Symbol.for('holdfast.AppError')
const trap = (): never => {
  throw new Error(secret)
}
const traps: ProxyHandler<object> = {
  get: trap,
  has: trap,
  set: trap,
  ownKeys: trap,
  getPrototypeOf: trap,
  setPrototypeOf: trap,
  getOwnPropertyDescriptor: trap,
  defineProperty: trap,
  deleteProperty: trap,
  isExtensible: trap,
  preventExtensions: trap,
}

function withThrowingGetters(target: object, ...keys: PropertyKey[]): object {
  for (const key of keys) Object.defineProperty(target, key, { get: trap, configurable: true, enumerable: true })
  return target
}

function withCircularCause(): Error {
  const error = new Error(secret)
  error.cause = new Error(secret, { cause: error })
  return error
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

class Broken extends Error {
  toJSON(): never {
    return trap()
  }
  override toString(): never {
    return trap()
  }
  [Symbol.toPrimitive](): never {
    return trap()
  }
}

const lookAlike = (members: object): object => ({
  [brand]: true,
  kind: 'invalid',
  code: 'x.y',
  message: 'A fault.',
  ...members,
})

/** Whatever JavaScript lets a program throw, and then some. */
export const thrown: Readonly<Record<string, Thrown>> = {
  'an Error': { make: () => new Error(secret) },
  'an Error with causes': { make: () => new Error(secret, { cause: new TypeError(secret, { cause: secret }) }) },
  'an Error that caused itself': { make: withCircularCause },
  'an Error of five megabytes': { make: () => new Error(secret + 'x'.repeat(5_000_000)) },
  'an AggregateError': { make: () => new AggregateError([new Error(secret), secret, null], secret) },
  'a DOMException': { make: () => new DOMException(secret, 'AbortError') },
  'a ZodError': { make: () => z.object({ [canary]: z.string() }).safeParse({}).error },
  'an Error whose fields throw': {
    make: () =>
      withThrowingGetters(
        new Error(secret),
        'message',
        'stack',
        'name',
        'cause',
        'code',
        'status',
        'statusCode',
        'expose',
        'type',
        'headers',
      ),
  },
  'an Error that no text can be made of': { make: () => new Broken(secret) },
  'an Error of status 9999': { make: () => Object.assign(new Error(secret), { status: 9999, statusCode: 9999 }) },
  'an Error of status 200': {
    make: () => Object.assign(new Error(secret), { status: 200, statusCode: 200, expose: true }),
  },
  "an Error of status '404'": {
    make: () => Object.assign(new Error(secret), { status: '404', statusCode: '404', headers: { [canary]: secret } }),
  },
  'an Error of status 404 to expose': {
    make: () =>
      Object.assign(new Error(secret), { status: 404, statusCode: 404, expose: true, headers: { 'x-leak': canary } }),
    nativeStatus: [404],
  },
  'an Error in the words of a body parser': {
    make: () => Object.assign(new Error(secret), { statusCode: 413, expose: true, type: canary }),
    status: [500, 413],
  },
  'an Error in the words of Fastify': {
    make: () =>
      Object.assign(new Error(secret), { statusCode: 9999, code: 'FST_ERR_X', validation: [{ message: secret }] }),
  },
  null: { make: () => null, isOrderToExpress: true },
  undefined: { make: () => undefined, isOrderToExpress: true },
  zero: { make: () => 0, isOrderToExpress: true },
  NaN: { make: () => Number.NaN, isOrderToExpress: true },
  false: { make: () => false, isOrderToExpress: true },
  'an empty text': { make: () => '', isOrderToExpress: true },
  "the text 'route'": { make: () => 'route', isOrderToExpress: true },
  "the text 'router'": { make: () => 'router', isOrderToExpress: true },
  'a text': { make: () => secret },
  'a symbol': { make: () => Symbol(secret) },
  'a BigInt': { make: () => 404n },
  'a function': { make: () => Object.assign(() => secret, { statusCode: 404, message: secret }) },
  'a frozen object': { make: () => Object.freeze({ message: secret, statusCode: 404, stack: secret }) },
  'an object without a prototype': { make: () => Object.assign(Object.create(null) as object, { message: secret }) },
  'an object whose getters throw': {
    make: () =>
      withThrowingGetters(
        {},
        'message',
        'stack',
        'name',
        'status',
        'statusCode',
        'code',
        'then',
        'toJSON',
        Symbol.toPrimitive,
      ),
  },
  'an object with then': {
    make: () => ({ then: (resolve: (value: unknown) => void) => resolve(secret), message: secret }),
  },
  'an object whose then throws': { make: () => ({ then: trap }) },
  'a rejected promise': {
    make: () => {
      const promise = Promise.reject(new Error(secret))
      promise.catch(() => {})
      return promise
    },
  },
  'a proxy that throws on every trap': { make: () => new Proxy({}, traps) },
  'a proxy of an Error that throws on every trap': { make: () => new Proxy(new Error(secret), traps) },
  'a revoked proxy': { make: revoked },
  'a look-alike whose members throw': {
    make: () => withThrowingGetters({ [brand]: true }, 'kind', 'code', 'message', 'issues', 'retryAfterSeconds'),
  },
  'a look-alike whose brand throws': { make: () => withThrowingGetters({}, brand) },
  'a look-alike whose message is an object': { make: () => lookAlike({ message: { toString: () => secret } }) },
  'a look-alike of a nonsense kind': { make: () => lookAlike({ kind: 'teapot', message: secret }) },
  'a look-alike of the kind __proto__': { make: () => lookAlike({ kind: '__proto__', message: secret }) },
  'a look-alike of a kind that changes': {
    make: () => {
      let reads = 0
      return lookAlike({ kind: { toString: () => (reads++ === 0 ? 'invalid' : 'toString') }, message: secret })
    },
    status: [500, 400],
  },
  'a look-alike whose issues map to what they like': {
    make: () => lookAlike({ issues: { length: 1, map: () => [{ secret }] } }),
    status: [500, 400],
  },
  'a look-alike whose issues break JSON': {
    make: () => lookAlike({ issues: { length: 1, map: () => [{ toJSON: trap }] } }),
    status: [500, 400],
  },
  'a look-alike whose issues throw': { make: () => lookAlike({ issues: new Proxy([{}], traps) }) },
  'an AppError of a nonsense kind': { make: () => new AppError('no-such-kind' as ErrorKind, 'x.y', secret) },
  'an AppError of a declared kind with a cause': {
    make: () => new AppError('conflict', 'orders.shipped', 'It is on its way.', { cause: new Error(secret) }),
    status: [409],
  },
  'an AppError of an outage with a cause': {
    make: () =>
      new ServiceUnavailableError('db.away', 'Try again later.', { cause: new Error(secret), retryAfterSeconds: 3 }),
    status: [503],
  },
}
