import mongoose from 'mongoose'
import { cursorOperations, notOffered, operations } from './operations.ts'
import type { GivenOptions, Operation, Route } from './operations.ts'
import { RoutedCursor } from './routed-cursor.ts'
import type { DriverCursor } from './routed-cursor.ts'

type Method = (...values: unknown[]) => unknown

/** Chooses the way of each operation when it is asked for. */
export interface Router {
  /** @throws {Error} when the caller runs in a transaction that is over */
  route(): Route
  /** For what cannot be a part of a transaction. @throws {Error} inside of one, saying that `method` cannot */
  routeOutside(method: string): Route
}

/**
 * What Mongoose takes for a collection of the driver. Each operation goes where its caller stands: to the transaction that
 * it runs in, else to the pool of its class of work.
 */
export function routedCollection(name: string, router: Router): Readonly<Record<string, Method>> {
  return Object.fromEntries(methodNames.map((method) => [method, routed(name, method, router)]))
}

function routed(name: string, method: string, router: Router): Method {
  if (notOffered.has(method)) return refusing(method)
  const operation = operations.get(method)
  if (operation !== undefined) return asking(name, method, operation, router)
  return cursorOperations.has(method) ? opening(name, method, router) : administering(name, method, router)
}

const methodNames = Object.entries(Object.getOwnPropertyDescriptors(mongoose.mongo.Collection.prototype))
  .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
  .map(([name]) => name)

// Async, so that what `route` throws is a rejection too.
function asking(name: string, method: string, { optionsAt, writes }: Operation, router: Router): Method {
  return async (...values) => {
    const given = givenOptions(values[optionsAt])
    return router.route().ask(given, writes, (db, own) => {
      const front = Array.from({ length: optionsAt }, (_, at) => values[at])
      return call(db, name, method, [...front, { ...given, ...own }]) as Promise<unknown>
    })
  }
}

/** A cursor asks for nothing before its first document is wanted. */
function opening(name: string, method: string, router: Router): Method {
  return (what, options) => {
    const given = givenOptions(options)
    return new RoutedCursor(router.route(), given, (db, own, flags) => {
      return call(db, name, method, [what, { ...given, ...flags, ...own }]) as DriverCursor
    })
  }
}

function refusing(method: string): Method {
  return () => {
    throw new Error(`Models do not offer ${method}. Use a client of the driver, beside this database`)
  }
}

/** Indexes, statistics, dropping. */
function administering(name: string, method: string, router: Router): Method {
  return async (...values) => router.routeOutside(method).ask({}, true, async (db) => call(db, name, method, values))
}

function call(db: mongoose.mongo.Db, name: string, method: string, values: readonly unknown[]): unknown {
  const collection = db.collection(name) as unknown as Readonly<Record<string, Method>>
  return collection[method]?.(...values)
}

/** @throws {TypeError} for a session: which one an operation belongs to is not for its caller to say */
function givenOptions(options: unknown): GivenOptions {
  const given = (options ?? {}) as GivenOptions
  if (given.session === undefined || given.session === null) return given
  throw new TypeError('An operation was given a session. Leave it out: inside `transaction` it belongs to it by itself')
}
